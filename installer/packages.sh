# shellcheck shell=bash
# Debian 12 packages, by what needs them. Sourced by installer/quickstart and tests/run.

millrace_build_packages=(
  build-essential cmake ninja-build ccache pkg-config
  libcurl4-openssl-dev libssl-dev libsqlite3-dev libtomlplusplus-dev libspdlog-dev
  libcli11-dev nlohmann-json3-dev libboost-dev libutf8proc-dev libexpat1-dev
  libvips-dev zlib1g-dev fonts-dejavu-core)

millrace_test_packages=(
  catch2 python3 python3-botocore python3-httpx python3-pil poppler-utils openssl strace bindfs fuse3 nginx-light curl libvips-tools
  ceph-common ceph-mon ceph-osd radosgw python3-swift faketime
  samba smbclient openssh-client openssh-sftp-server rsync zip unzip sane-utils imagemagick
  libreoffice-writer-nogui libplist-utils
  clang-19 libclang-rt-19-dev clang-tidy-19 clang-format-19)

# Windows from here: the compiler, what unpacks and prepares the sources of libraries, what makes the
# installer, and Wine.
millrace_windows_packages=(
  g++-mingw-w64-x86-64-posix gcc-mingw-w64-x86-64-posix dpkg-dev perl tcl
  libfmt-dev catch2 python3 wixl msitools wine wine64)

# macOS from here: what unpacks and prepares the sources of libraries; the compiler comes by npm.
millrace_macos_packages=(dpkg-dev perl tcl libfmt-dev catch2 python3 file)

# install_missing PACKAGE...: installs those that are not there; needs root or sudo for that only.
install_missing() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "These packages are missing and neither root nor sudo is there to install them:" \
        "${missing[*]}" >&2
      return 1
    }
    as_root=(sudo)
  fi
  echo "Installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
