#include "platform/host/keychain.hpp"

#include <algorithm>
#include <array>

namespace millrace::keychain {
namespace {

constexpr std::string_view kService = "Millrace";
// The tool reads lines of 4096 bytes; a byte of the secret takes two.
constexpr std::size_t kLongest = 1900;

std::string in_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

struct Words {
  int status;
  ErrorKind kind;
  std::string_view text;
};
// The tool ends with the last eight bits of an OSStatus, SecBase.h. A keychain that a person has to
// unlock is tried again: the key in it is the same as before.
constexpr std::array kEnds{
    // errSecItemNotFound, -25300
    Words{44, ErrorKind::Vanished, "is not in the login keychain"},
    // errSecInteractionNotAllowed, -25308
    Words{36, ErrorKind::Transient,
          "cannot be reached: the login keychain is locked; log in at the screen, or run: security "
          "unlock-keychain"},
    // errSecAuthFailed, -25293
    Words{51, ErrorKind::Transient,
          "cannot be reached: the password of the login keychain was refused"},
    // errSecNoDefaultKeychain, -25307, and errSecNoSuchKeychain, -25294
    Words{37, ErrorKind::Configuration, "cannot be reached: there is no login keychain"},
    Words{50, ErrorKind::Configuration, "cannot be reached: there is no login keychain"},
    // userCanceledErr, -128
    Words{128, ErrorKind::Transient, "was refused in a window of the login keychain"},
};

}  // namespace

Result<std::string> line_to_store(std::string_view name, std::string_view value) {
  // Of other bytes the tool says hexadecimal digits, which a secret may be itself.
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7F; };
  if (!std::ranges::all_of(value, plain)) {
    return fail(ErrorKind::Configuration,
                "the login keychain keeps keys of ASCII letters, digits and signs only; use "
                "api_key = { file = \"...\" } for this one");
  }
  if (value.size() > kLongest) {
    return fail(ErrorKind::Configuration,
                "the login keychain keeps keys of up to " + std::to_string(kLongest) +
                    " bytes; use api_key = { file = \"...\" } for this one");
  }
  return "add-generic-password -U -s " + std::string(kService) + " -a " + std::string(name) +
         " -X " + in_hex(value) + "\n";
}

std::vector<std::string> words_to_read(std::string_view name) {
  return {"find-generic-password", "-s", std::string(kService), "-a", std::string(name), "-w"};
}

std::vector<std::string> words_to_remove(std::string_view name) {
  return {"delete-generic-password", "-s", std::string(kService), "-a", std::string(name)};
}

Error error_of(int exit_status, std::string_view name) {
  const auto known = std::ranges::find(kEnds, exit_status, &Words::status);
  const std::string secret = "the secret `" + std::string(name) + "` ";
  if (known != kEnds.end()) return {known->kind, secret + std::string(known->text), 0, {}};
  return {ErrorKind::Configuration,
          secret + "cannot be reached: security ended with status " + std::to_string(exit_status),
          0,
          {}};
}

}  // namespace millrace::keychain
