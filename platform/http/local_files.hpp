// What the server needs from the operating system beside sockets: Unix sockets and private files.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "platform/base/result.hpp"

namespace millrace {

struct LocalListener {
  int descriptor = -1;     // bound, 0600, listening; closed on exec; the caller's to close
  std::uint64_t file = 0;  // which file it is, for remove_local_socket
};

// Binds a Unix socket. A file that is there is replaced only if it is a socket on which nobody
// answers; Exists otherwise. Configuration if the path is longer than 107 bytes (unix(7)).
Result<LocalListener> listen_local(const std::filesystem::path& path);

// Removes the socket's file if it is still the one that listen_local made.
void remove_local_socket(const std::filesystem::path& path, std::uint64_t file);

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using CFile = std::unique_ptr<std::FILE, CloseFile>;

// A new file for writing that only this user can read; Exists if the name is taken.
Result<CFile> create_private_file(const std::filesystem::path& path);
// For reading, closed on exec.
Result<CFile> open_for_reading(const std::filesystem::path& path);

void close_on_exec(int descriptor);

}  // namespace millrace
