#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <bcrypt.h>
#include <fcntl.h>
#include <io.h>

#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string_view>

#include "platform/base/handle_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/http/local_address.hpp"
#include "platform/http/local_files.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

class OwnedSocket {
 public:
  explicit OwnedSocket(SOCKET socket) : socket_(socket) {}
  ~OwnedSocket() {
    if (socket_ != INVALID_SOCKET) ::closesocket(socket_);
  }
  OwnedSocket(const OwnedSocket&) = delete;
  OwnedSocket& operator=(const OwnedSocket&) = delete;
  SOCKET get() const { return socket_; }
  SOCKET release() { return std::exchange(socket_, INVALID_SOCKET); }

 private:
  SOCKET socket_;
};

// What the file says, as "PORT TOKEN".
struct Written {
  std::uint16_t port = 0;
  std::string token;
};

std::optional<Written> read_written(const fs::path& path) {
  const Handle file(::CreateFileW(path.c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING,
                                  FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  std::array<char, 128> space{};
  DWORD size = 0;
  if (!file || !::ReadFile(file.get(), space.data(), space.size(), &size, nullptr)) {
    return std::nullopt;
  }
  const std::string_view text(space.data(), size);
  const std::size_t blank = text.find(' ');
  Written written;
  if (blank == std::string_view::npos ||
      std::from_chars(text.data(), text.data() + blank, written.port).ptr != text.data() + blank) {
    return std::nullopt;
  }
  written.token = text.substr(blank + 1);
  return written;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  address.sin_port = ::htons(port);
  return address;
}

OwnedSocket new_socket() {
  return OwnedSocket(::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                                  WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
}

bool somebody_answers(std::uint16_t port) {
  const OwnedSocket probe = new_socket();
  const sockaddr_in address = loopback(port);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Result<void> clear_stale(const fs::path& path) {
  if (::GetFileAttributesW(path.c_str()) == INVALID_FILE_ATTRIBUTES) return {};
  const auto written = read_written(path);
  if (!written) {
    return fail(ErrorKind::Exists, path_text(path) + " is there and is no address of a server");
  }
  if (somebody_answers(written->port)) {
    return fail(ErrorKind::Exists, "somebody already serves on " + path_text(path));
  }
  if (!::DeleteFileW(path.c_str())) {
    return windows_failure(ErrorKind::Environment, "remove stale " + path_text(path),
                           ::GetLastError());
  }
  return {};
}

Result<std::uint16_t> listen_on_loopback(const OwnedSocket& socket) {
  sockaddr_in address = loopback(0);
  int size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  prepare_listener(static_cast<std::intptr_t>(socket.get()));
  if (::bind(socket.get(), generic, size) != 0 || ::listen(socket.get(), SOMAXCONN) != 0 ||
      ::getsockname(socket.get(), generic, &size) != 0) {
    return windows_failure(ErrorKind::Environment, "listen on the loopback interface",
                           static_cast<DWORD>(::WSAGetLastError()));
  }
  return ::ntohs(address.sin_port);
}

Result<CFile> c_file(HANDLE raw, const fs::path& path, int flags, const char* mode) {
  Handle handle(raw);
  if (!handle) {
    const DWORD code = ::GetLastError();
    const bool taken = code == ERROR_FILE_EXISTS || code == ERROR_ALREADY_EXISTS;
    return windows_failure(taken ? ErrorKind::Exists : ErrorKind::Environment,
                           "open " + path_text(path), code);
  }
  const int descriptor = ::_open_osfhandle(reinterpret_cast<std::intptr_t>(handle.get()), flags);
  if (descriptor < 0) return fail(ErrorKind::Environment, "open " + path_text(path), errno);
  handle.release();
  CFile file(::_fdopen(descriptor, mode));
  if (!file) {
    ::_close(descriptor);
    return fail(ErrorKind::Environment, "open " + path_text(path), errno);
  }
  return file;
}

// The file goes by number, as sockets of Unix do by inode: the token's own beginning.
std::uint64_t number_of(std::string_view token) {
  std::uint64_t number = 0;
  std::from_chars(token.data(), token.data() + std::min<std::size_t>(token.size(), 16), number, 16);
  return number;
}

}  // namespace

Result<LocalListener> listen_local(const fs::path& path) {
  WSADATA ignored{};
  if (const int code = ::WSAStartup(MAKEWORD(2, 2), &ignored); code != 0) {
    return windows_failure(ErrorKind::Environment, "sockets", static_cast<DWORD>(code));
  }
  if (auto clear = clear_stale(path); !clear) return std::unexpected(clear.error());
  std::array<std::byte, 32> secret{};
  if (::BCryptGenRandom(nullptr, reinterpret_cast<PUCHAR>(secret.data()), secret.size(),
                        BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0) {
    return fail(ErrorKind::Environment, "no random numbers");
  }
  const std::string token = to_hex(secret);
  OwnedSocket socket = new_socket();
  const auto port = listen_on_loopback(socket);
  if (!port) return std::unexpected(port.error());

  auto file = create_private_file(path);
  if (!file) return std::unexpected(file.error());
  const std::string text = std::to_string(*port) + " " + token;
  const bool wrote = std::fwrite(text.data(), 1, text.size(), file->get()) == text.size();
  if (std::fclose(file->release()) != 0 || !wrote) {
    return fail(ErrorKind::Environment, "write " + path_text(path));
  }
  return LocalListener{static_cast<std::intptr_t>(socket.release()), AF_INET, number_of(token),
                       token};
}

void remove_local_socket(const fs::path& path, std::uint64_t file) {
  const auto written = read_written(path);
  if (written && number_of(written->token) == file) ::DeleteFileW(path.c_str());
}

Result<LocalAddress> local_address(const fs::path& path) {
  const auto written = read_written(path);
  if (!written)
    return fail(ErrorKind::Unreachable, "no server has left its address in " + path_text(path));
  return LocalAddress{"http://127.0.0.1:" + std::to_string(written->port),
                      {},
                      {{"Authorization", "Bearer " + written->token}}};
}

Result<CFile> create_private_file(const fs::path& path) {
  OwnerOnly owner_only;
  return c_file(::CreateFileW(path.c_str(), GENERIC_WRITE, kShareAll, owner_only.get(), CREATE_NEW,
                              FILE_ATTRIBUTE_NORMAL, nullptr),
                path, _O_WRONLY | _O_BINARY, "wb");
}

Result<CFile> open_for_reading(const fs::path& path) {
  return c_file(::CreateFileW(path.c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING,
                              FILE_FLAG_OPEN_REPARSE_POINT, nullptr),
                path, _O_RDONLY | _O_BINARY, "rb");
}

void close_on_exec(std::intptr_t socket) {
  ::SetHandleInformation(reinterpret_cast<HANDLE>(socket), HANDLE_FLAG_INHERIT, 0);
}

void prepare_listener(std::intptr_t socket) {
  close_on_exec(socket);
  // SO_REUSEADDR would let two programs listen on one port; an ended server's is free without it.
  const BOOL yes = TRUE;
  ::setsockopt(static_cast<SOCKET>(socket), SOL_SOCKET, SO_EXCLUSIVEADDRUSE,
               reinterpret_cast<const char*>(&yes), sizeof yes);
}

}  // namespace millrace
