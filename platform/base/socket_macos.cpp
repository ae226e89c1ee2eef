#include <fcntl.h>
#include <sys/socket.h>

#include "platform/base/socket.hpp"

namespace millrace {

// No call does both at once here: a child that is started in between by a library inherits the
// socket. Ours do not (POSIX_SPAWN_CLOEXEC_DEFAULT).
std::intptr_t open_cloexec_socket(int domain, int type, int protocol) {
  const int made = socket(domain, type, protocol);
  if (made >= 0) fcntl(made, F_SETFD, FD_CLOEXEC);
  return made;
}

}  // namespace millrace
