# A formula for a Homebrew tap. installer/macos/package fills in what stands in @...@.
class Millrace < Formula
  desc "Watch-folder agent that converts what is dropped into a folder"
  homepage "@HOMEPAGE@"
  url "@URL@"
  sha256 "@SHA256@"
  version "@VERSION@"

  depends_on arch: :arm64
  depends_on macos: :monterey

  def install
    bin.install "millrace"
    pkgshare.install "config.example.toml"
  end

  # `brew services start millrace`, instead of `millrace service install`: the path of a program in
  # the Cellar changes with each version.
  service do
    run [opt_bin/"millrace", "run"]
    keep_alive successful_exit: false
    error_log_path var/"log/millrace.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/millrace --version")
  end
end
