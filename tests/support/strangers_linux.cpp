#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

#include "tests/support/strangers.hpp"

namespace millrace::test {

bool plant_link(const std::filesystem::path& link, const std::string& target, LinkTo) {
  std::filesystem::create_symlink(target, link);
  return true;
}

bool under_wine() { return false; }

bool plant_fifo(const std::filesystem::path& path) { return ::mkfifo(path.c_str(), 0600) == 0; }

void set_readers(const std::filesystem::path& file, Readers readers) {
  REQUIRE(::chmod(file.c_str(), readers == Readers::Owner ? 0600 : 0644) == 0);
}

void set_mtime(const std::filesystem::path& file, std::int64_t seconds, long ns) {
  const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(seconds), ns}};
  REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
}

void set_variable(const char* name, const std::string& value) {
  if (value.empty()) {
    ::unsetenv(name);
  } else {
    ::setenv(name, value.c_str(), 1);
  }
}

void remove_tree(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::filesystem::path exact(const std::filesystem::path& path) { return path; }

std::vector<std::string> strange_names() {
  return {"line\nend", "\xff\xfe", "\xe2\x80\xaertl", std::string(255, 'x'), "a b'\"$(x)", "-rf"};
}

}  // namespace millrace::test
