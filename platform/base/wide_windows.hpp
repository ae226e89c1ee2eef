// Text of ours is UTF-8, that of Windows is UTF-16.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// What is no valid UTF becomes U+FFFD.
std::wstring to_wide(std::string_view utf8);
std::string to_utf8(std::wstring_view wide);

// An environment variable of the wide block; empty where there is none.
std::string environment_variable(const wchar_t* name);

// "the system cannot find the file specified" for ERROR_FILE_NOT_FOUND, as Windows says it.
std::string system_message(unsigned long code);

// An Error with the code's own text behind `what`: "open C:\a: Access is denied".
std::unexpected<Error> windows_failure(ErrorKind kind, std::string what, unsigned long code);

}  // namespace millrace
