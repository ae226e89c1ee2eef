#include <sys/stat.h>

#include "platform/watch/root_identity.hpp"

namespace millrace {
namespace {

// The finaliser of MurmurHash3 (public domain): every input bit moves every output bit.
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

std::uint64_t nanoseconds(const timespec& t) {
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(t.tv_nsec);
}

}  // namespace

std::optional<RootIdentity> root_identity(const std::filesystem::path& root) {
  struct stat st{};
  if (::stat(root.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return std::nullopt;
  return RootIdentity{st.st_dev, st.st_ino};
}

std::optional<std::uint64_t> polled_stamp(const std::filesystem::path& file) {
  struct stat st{};
  if (::lstat(file.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
  // Without the inode: shares and FAT give a file a new one now and then.
  std::uint64_t stamp = mix(static_cast<std::uint64_t>(st.st_size));
  stamp = mix(stamp ^ nanoseconds(st.st_mtim));
  return mix(stamp ^ nanoseconds(st.st_ctim));
}

}  // namespace millrace
