// The log: one line an event, a short message and named fields. Never blocks the caller: when the
// reader of our output is stuck, the oldest lines are dropped and counted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "platform/base/result.hpp"

namespace millrace {

enum class Level { Debug, Info, Warning, Error };

using Field = std::pair<std::string_view, std::string>;

// Any thread. Values are made printable here; they never hold secrets (callers see to that).
void log(Level level, std::string_view message, std::initializer_list<Field> fields = {});
// The same for an error that is being handled: kind and message become fields.
void log_error(Level level, std::string_view message, const Error& error,
               std::initializer_list<Field> fields = {});

// Where lines go instead of stderr: `agent.log`, and before it `agent.1.log` and so on. Whoever
// reads our stderr bounds what he keeps; a file of ours has nobody else to do it.
struct LogFile {
  std::filesystem::path path;             // empty: stderr
  std::uint64_t most_bytes = 10'000'000;  // of each file
  int files = 5;                          // at most, with the one that is written to
};

// Hears warnings and errors as well, each as a line without its time; on the thread that writes the
// log, where it may block.
using LogListener = std::function<void(Level level, std::string_view line)>;

// "debug", "info", "warning", "error" or "off"; Configuration for anything else, and for a file
// that cannot be written.
Result<void> start_log(std::string_view level, const LogFile& file = {}, LogListener listener = {});
// Writes what is queued, waits a second at most. False if the reader of our output does not read:
// then only exit_now() ends the process, since its writer hangs in the kernel.
bool stop_log();

}  // namespace millrace
