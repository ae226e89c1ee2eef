#include <sys/socket.h>

#include "platform/base/socket.hpp"

namespace millrace {

std::intptr_t open_cloexec_socket(int domain, int type, int protocol) {
  return socket(domain, type | SOCK_CLOEXEC, protocol);
}

}  // namespace millrace
