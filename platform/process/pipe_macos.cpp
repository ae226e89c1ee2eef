#include <fcntl.h>
#include <unistd.h>

#include "platform/process/child_posix.hpp"

namespace millrace::process {

ssize_t write_without_signal(int fd, std::string_view bytes) {
  ::fcntl(fd, F_SETNOSIGPIPE, 1);
  return ::write(fd, bytes.data(), bytes.size());
}

}  // namespace millrace::process
