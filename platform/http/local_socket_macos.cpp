#include <fcntl.h>
#include <sys/socket.h>

#include "platform/http/local_socket_posix.hpp"

namespace millrace {

Descriptor make_local_socket(Waits waits) {
  Descriptor made(::socket(AF_UNIX, SOCK_STREAM, 0));
  if (!made) return made;
  ::fcntl(made.get(), F_SETFD, FD_CLOEXEC);
  if (waits == Waits::Never) ::fcntl(made.get(), F_SETFL, O_NONBLOCK);
  return made;
}

// The mode of a socket means nothing here; its file is given one before it listens.
bool make_owner_only(const Descriptor&) { return true; }

}  // namespace millrace
