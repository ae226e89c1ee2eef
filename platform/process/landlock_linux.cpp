#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "platform/base/descriptor_posix.hpp"
#include "platform/process/confine_linux.hpp"

// Landlock has no wrappers in glibc: landlock(7).
namespace millrace::process {
namespace {

constexpr std::uint64_t kTruncate = 1ULL << 14;     // version 3; younger than some headers
constexpr std::uint64_t kIoctlDevice = 1ULL << 15;  // version 5

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | kTruncate;
// What only directories can have; the kernel refuses such rights on a file.
constexpr std::uint64_t kDirectoryOnly =
    ~(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
      kTruncate | kIoctlDevice);

// All rights that a version knows are handled, so that what no rule grants is refused.
std::uint64_t handled_by(int version) {
  constexpr std::array<std::uint64_t, 6> kRights{
      0, (1ULL << 13) - 1, (1ULL << 14) - 1, (1ULL << 15) - 1, (1ULL << 15) - 1, (1ULL << 16) - 1};
  return kRights[static_cast<std::size_t>(std::clamp(version, 0, 5))];
}

// 0, or errno.
int permit(int ruleset, const std::filesystem::path& beneath, std::uint64_t rights) {
  const Descriptor folder(::open(beneath.c_str(), O_PATH | O_CLOEXEC));
  if (!folder) return errno;
  struct stat info{};
  if (::fstat(folder.get(), &info) != 0) return errno;
  landlock_path_beneath_attr rule{};
  rule.parent_fd = folder.get();
  rule.allowed_access = S_ISDIR(info.st_mode) ? rights : rights & ~kDirectoryOnly;
  const long done =
      ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
  return done == 0 ? 0 : errno;
}

}  // namespace

Result<int> confine_paths(const ConfineRules& rules) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL,
                                 static_cast<unsigned>(LANDLOCK_CREATE_RULESET_VERSION));
  if (version <= 0) return 0;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = handled_by(static_cast<int>(version));
  const Descriptor ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0U)));
  if (!ruleset) return fail(ErrorKind::Environment, "confine: landlock rules", errno);

  const std::uint64_t all = attributes.handled_access_fs;
  if (const int code = permit(ruleset.get(), rules.scratch, (kRead | kWrite) & all); code != 0) {
    return fail(ErrorKind::Environment, "confine: scratch " + rules.scratch.string(), code);
  }
  for (const auto& folder : rules.readable) {
    const int code = permit(ruleset.get(), folder, kRead & all);
    if (code != 0 && code != ENOENT) {
      return fail(ErrorKind::Environment, "confine: " + folder.string(), code);
    }
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0U) != 0) {
    return fail(ErrorKind::Environment, "confine: landlock", errno);
  }
  return static_cast<int>(version);
}

}  // namespace millrace::process
