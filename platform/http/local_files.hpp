// What the server needs from the operating system beside sockets: a place that only this user's
// programs can reach, and private files.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "platform/base/result.hpp"

namespace millrace {

struct LocalListener {
  std::intptr_t socket = -1;  // bound, listening; closed on exec; the caller's to close
  int family = 0;             // of its address: AF_UNIX, or AF_INET on Windows
  std::uint64_t file = 0;     // which file it is, for remove_local_socket
  std::string token;          // what a client must show as a bearer token; empty: nothing
};

// Listens where local_address leads. Linux and macOS: a Unix socket, 0600; Configuration if its
// path is longer than 107 (macOS 103) bytes (unix(7)). Windows: a free port of the loopback
// interface, whose number stands with a token in the file, which only its owner may read. A file
// that is there is replaced only if it is one of these and nobody answers; Exists otherwise.
Result<LocalListener> listen_local(const std::filesystem::path& path);

// Removes the file if it is still the one that listen_local made.
void remove_local_socket(const std::filesystem::path& path, std::uint64_t file);

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using CFile = std::unique_ptr<std::FILE, CloseFile>;

// A new file for writing that only this user can read; Exists if the name is taken.
Result<CFile> create_private_file(const std::filesystem::path& path);
// For reading, closed on exec.
Result<CFile> open_for_reading(const std::filesystem::path& path);

void close_on_exec(std::intptr_t socket);
// Before bind(): closed on exec; the port is ours again right after an earlier server has ended,
// and nobody binds it beside us.
void prepare_listener(std::intptr_t socket);

}  // namespace millrace
