#include "platform/host/user_posix.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace millrace {

namespace fs = std::filesystem;

fs::path home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') return home;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_dir : "/";
}

std::unexpected<Error> system_error(std::string_view what, const fs::path& path) {
  const int code = errno;
  return fail(ErrorKind::Environment,
              std::string(what) + " " + path.string() + ": " + std::strerror(code), code);
}

Result<void> make_private(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error("cannot make", folder);
  }
  struct stat info{};
  if (lstat(folder.c_str(), &info) != 0) return system_error("cannot look at", folder);
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return fail(ErrorKind::Environment, folder.string() + " is not a folder private to this user");
  }
  return {};
}

}  // namespace millrace
