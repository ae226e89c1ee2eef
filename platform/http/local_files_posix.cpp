#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "platform/base/descriptor_posix.hpp"
#include "platform/http/local_address.hpp"
#include "platform/http/local_files.hpp"
#include "platform/http/local_socket_posix.hpp"

namespace millrace {
namespace {

std::unexpected<Error> system_failure(ErrorKind kind, const std::string& what, int code) {
  return fail(kind, what + ": " + std::generic_category().message(code), code);
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Non-blocking: a server whose backlog is full would keep connect() waiting; EAGAIN means that
// somebody is there.
bool somebody_answers(const sockaddr_un& address) {
  const Descriptor probe = make_local_socket(Waits::Never);
  return ::connect(probe.get(), generic(address), sizeof address) == 0 || errno != ECONNREFUSED;
}

Result<void> clear_stale(const std::filesystem::path& path, const sockaddr_un& address) {
  struct stat there{};
  if (::lstat(path.c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode))
    return fail(ErrorKind::Exists, path.string() + " is there and is no socket");
  if (somebody_answers(address))
    return fail(ErrorKind::Exists, "somebody already serves on " + path.string());
  if (::unlink(path.c_str()) != 0)
    return system_failure(ErrorKind::Environment, "remove stale " + path.string(), errno);
  return {};
}

Result<CFile> open_file(const std::filesystem::path& path, int flags, const char* mode) {
  Descriptor fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) {
    const int code = errno;
    return system_failure(code == EEXIST ? ErrorKind::Exists : ErrorKind::Environment,
                          "open " + path.string(), code);
  }
  CFile file(::fdopen(fd.get(), mode));
  if (!file) return system_failure(ErrorKind::Environment, "fdopen", errno);
  fd.release();
  return file;
}

}  // namespace

Result<LocalListener> listen_local(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.empty() || text.size() >= sizeof address.sun_path)
    return fail(ErrorKind::Configuration, "a socket path holds 1 to " +
                                              std::to_string(sizeof address.sun_path - 1) +
                                              " bytes, this one " + std::to_string(text.size()));
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  if (auto clear = clear_stale(path, address); !clear) return std::unexpected(clear.error());

  Descriptor fd = make_local_socket(Waits::Yes);
  if (fd.get() < 0) return system_failure(ErrorKind::Environment, "socket", errno);
  if (!make_owner_only(fd) || ::bind(fd.get(), generic(address), sizeof address) != 0)
    return system_failure(errno == EADDRINUSE ? ErrorKind::Exists : ErrorKind::Configuration,
                          "bind " + text, errno);
  // Before listen() nobody can connect.
  struct stat made{};
  if (::chmod(text.c_str(), 0600) != 0 || ::lstat(text.c_str(), &made) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0)
    return system_failure(ErrorKind::Environment, "listen " + text, errno);
  return LocalListener{fd.release(), AF_UNIX, made.st_ino, {}};
}

void remove_local_socket(const std::filesystem::path& path, std::uint64_t file) {
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode) && there.st_ino == file)
    ::unlink(path.c_str());
}

Result<CFile> create_private_file(const std::filesystem::path& path) {
  return open_file(path, O_WRONLY | O_CREAT | O_EXCL, "wb");
}

Result<CFile> open_for_reading(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY, "rb");
}

void close_on_exec(std::intptr_t socket) { ::fcntl(static_cast<int>(socket), F_SETFD, FD_CLOEXEC); }

void prepare_listener(std::intptr_t socket) {
  close_on_exec(socket);
  const int yes = 1;  // it takes no port of somebody who listens, socket(7)
  ::setsockopt(static_cast<int>(socket), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

Result<LocalAddress> local_address(const std::filesystem::path& path) {
  return LocalAddress{"http://localhost", path.string(), {}};
}

}  // namespace millrace
