// Error codes of the operating system as kinds.
#pragma once

#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// The kind of a failed file operation: Vanished, Exists, Input (the name or the thing at it is
// wrong for good), Environment (disk, permission, share), Defect (we passed nonsense).
ErrorKind error_kind_of(int os_code);

// The code of a call that would have had to fetch the bytes of a placeholder first: EDEADLK, or
// ERROR_CLOUD_FILE_ACCESS_DENIED.
int placeholder_code();

// A rename failed where a copy may still do: another device, or a folder above that is not ours.
bool asks_for_a_copy(int os_code);

// `WHAT: text of the system`, with the code. Thread-safe.
Error os_error(int os_code, std::string_view what);
inline std::unexpected<Error> os_failure(int os_code, std::string_view what) {
  return std::unexpected(os_error(os_code, what));
}

}  // namespace millrace
