// Errors are values with a kind; the kind alone decides what happens next.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

// What went wrong, seen from the one who must act on it. The retry policy (agent/queue) has one
// row for each kind; nothing else looks at message texts or at operating system codes.
enum class ErrorKind {
  Input,          // the file or the request is wrong for good: no retry
  Configuration,  // settings, key or URL are wrong: the converter stops until they change
  Quota,          // nothing left to spend: the converter pauses
  Rate,           // too fast: the account pauses, the job loses no attempt
  Busy,           // the same key is being converted elsewhere: wait, the job loses no attempt
  Transient,      // try again with the same key, with backoff
  Unreachable,    // DNS, connect, TLS, proxy: the converter's circuit opens, no attempt is lost
  Converter,      // the converter answers the same nonsense again and again: final
  Environment,    // disk full, read-only, permission, share gone: that folder pauses
  Changed,        // the source is no longer the version that settled: it settles anew
  Vanished,       // the name is not there (any more)
  Exists,         // the name is taken
  Stopped,        // we were asked to stop
  Defect,         // one of our own invariants is broken
};

// The kind as it stands in the ledger and in JSON: lower case, one word. Never changes.
std::string_view to_string(ErrorKind kind);
// The inverse of to_string; Defect for a text that is none of them.
ErrorKind error_kind_from(std::string_view text);

struct Error {
  ErrorKind kind = ErrorKind::Defect;
  std::string message;  // one line for a person; holds no secret
  int os_code = 0;      // errno or GetLastError() where the system said so, else 0
  // How long the other side asks us to wait (already clamped); zero where it does not say.
  std::chrono::milliseconds retry_after{0};
};

template <typename T>
using Result = std::expected<T, Error>;

// std::unexpected with an Error made in place: `return fail(ErrorKind::Input, "empty file");`
inline std::unexpected<Error> fail(ErrorKind kind, std::string message, int os_code = 0) {
  return std::unexpected(Error{kind, std::move(message), os_code, {}});
}

// Adds context in front of a message, once, on the way up: `read a.png: Permission denied`.
std::unexpected<Error> with_context(Error error, std::string_view context);

}  // namespace millrace
