#include <sys/socket.h>
#include <sys/stat.h>

#include "platform/http/local_socket_posix.hpp"

namespace millrace {

Descriptor make_local_socket(Waits waits) {
  const int waiting = waits == Waits::Never ? SOCK_NONBLOCK : 0;
  return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | waiting, 0));
}

// Linux gives the socket's own mode to the file that bind() makes, so that it is 0600 from its
// first moment.
bool make_owner_only(const Descriptor& socket) { return ::fchmod(socket.get(), 0600) == 0; }

}  // namespace millrace
