#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <stdexcept>
#include <utility>

#include "tests/transfer/fault_server.hpp"

namespace millrace::test {

FaultServer::FaultServer(Script script, const std::filesystem::path& unix_socket)
    : script_(std::move(script)), is_tls_(false) {
  std::signal(SIGPIPE, SIG_IGN);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listener_ = fd;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 16) != 0)
    throw std::runtime_error("cannot listen");
  acceptor_ = std::jthread([this] { accept_all(); });
}

}  // namespace millrace::test
