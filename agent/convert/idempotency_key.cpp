#include "agent/convert/idempotency_key.hpp"

#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '%':
        out += "%25";
        break;
      case '=':
        out += "%3D";
        break;
      case '\n':
        out += "%0A";
        break;
      case '\r':
        out += "%0D";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

std::string make_idempotency_key(std::string_view account, std::string_view content,
                                 std::string_view target, const ConvertOptions& options) {
  std::string text = "millrace-key 1\naccount=" + escaped(account) +
                     "\ncontent=" + escaped(content) + "\ntarget=" + escaped(target) + '\n';
  for (const auto& [name, value] : options) {
    text += "option " + escaped(name) + '=' + escaped(value) + '\n';
  }
  return to_hex(sha256(text)).substr(0, 32);
}

}  // namespace millrace
