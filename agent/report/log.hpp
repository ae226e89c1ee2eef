// The log: one line an event, a short message and named fields. Never blocks the caller: when the
// reader of our output is stuck, the oldest lines are dropped and counted.
#pragma once

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

// "debug", "info", "warning", "error" or "off"; Configuration for anything else. Lines go to
// stderr.
Result<void> start_log(std::string_view level);
// Writes what is queued, waits a second at most. False if the reader of our output does not read:
// then only exit_now() ends the process, since its writer hangs in the kernel.
bool stop_log();

}  // namespace millrace
