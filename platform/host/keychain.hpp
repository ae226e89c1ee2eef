// Secrets in the login keychain of macOS, kept and read by security(1). Pure, so that its tests run
// everywhere; who runs that tool is secrets_macos.cpp.
//
// The tool, and not the Security framework: what a program of ours keeps there itself is open to
// that very program file alone, and each new version of ours, signed by nobody, would ask the user
// for leave in a window that a background agent's user may never see.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace::keychain {

// One line for the input of `security -i`, so that no command line shows the secret. Configuration
// for what the tool cannot say back: control characters, bytes beyond ASCII, too many of them.
Result<std::string> line_to_store(std::string_view name, std::string_view value);

std::vector<std::string> words_to_read(std::string_view name);
std::vector<std::string> words_to_remove(std::string_view name);

// What the tool ended with, but 0. Vanished: the keychain has no such secret. Transient: it is
// locked, or asks a person.
Error error_of(int exit_status, std::string_view name);

}  // namespace millrace::keychain
