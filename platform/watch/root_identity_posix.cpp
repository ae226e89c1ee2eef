#include <sys/stat.h>

#include "platform/base/file_times_posix.hpp"
#include "platform/watch/root_identity.hpp"

namespace millrace {
namespace {

std::optional<std::uint64_t> polled_stamp(const std::filesystem::path& file) {
  struct stat st{};
  if (::lstat(file.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
  // Without the inode: shares and FAT give a file a new one now and then.
  std::uint64_t stamp = mix_into(0, static_cast<std::uint64_t>(st.st_size));
  stamp = mix_into(stamp, static_cast<std::uint64_t>(modified_ns(st)));
  return mix_into(stamp, static_cast<std::uint64_t>(changed_ns(st)));
}

}  // namespace

std::optional<RootIdentity> root_identity(const std::filesystem::path& root) {
  struct stat st{};
  if (::stat(root.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return std::nullopt;
  return RootIdentity{static_cast<std::uint64_t>(st.st_dev), st.st_ino};
}

std::error_code poll_directory(const std::filesystem::path& root, const std::string& name,
                               const std::function<void(PolledEntry)>& visit) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::directory_iterator it(name.empty() ? root : root / name, fs::directory_options::none, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    std::error_code unknown;
    const fs::file_type type = it->symlink_status(unknown).type();
    PolledEntry entry{it->path().filename().string(), type == fs::file_type::directory, {}};
    if (type == fs::file_type::regular) entry.stamp = polled_stamp(it->path());
    visit(std::move(entry));
  }
  return error;
}

}  // namespace millrace
