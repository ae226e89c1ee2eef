#include "agent/render/input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace millrace::render {
namespace {

std::unexpected<Refused> refuse(Code code, std::string message) {
  return std::unexpected(Refused{code, std::move(message)});
}

}  // namespace

std::expected<const Format*, Refused> look_at_input(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return refuse(Code::Internal, "input cannot be opened");
  struct stat info{};
  std::array<char, kSniffBytes> head{};
  const bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  const ssize_t got = regular ? ::read(fd, head.data(), head.size()) : -1;
  ::close(fd);
  if (!regular) return refuse(Code::Internal, "input is not a regular file");
  if (got == 0) return refuse(Code::BrokenInput, "input is empty");
  return sniff({head.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace millrace::render
