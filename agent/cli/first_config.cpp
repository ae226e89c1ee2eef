#include "agent/cli/first_config.hpp"

#include <string_view>

#include "platform/base/native_path.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void add_escaped(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  if (c == '"' || c == '\\') {
    out += {'\\', c};
  } else if (is_control(c)) {
    const auto b = static_cast<unsigned char>(c);
    out += {'\\', 'u', '0', '0', kDigits[b >> 4], kDigits[b & 15]};
  } else {
    out += c;
  }
}

// A path of Windows stands between single quotes, where TOML takes a backslash as it is.
std::string toml_text(std::string_view text) {
  bool plain = text.find('\\') != std::string_view::npos;
  for (const char c : text) plain = plain && c != '\'' && !is_control(c);
  if (plain) return "'" + std::string(text) + "'";
  std::string out = "\"";
  for (const char c : text) add_escaped(out, c);
  return out + "\"";
}

std::string toml_list(std::string_view words) {
  std::string out = "[";
  while (true) {
    const auto comma = words.find(',');
    out += toml_text(words.substr(0, comma));
    if (comma == std::string_view::npos) return out + "]";
    out += ", ";
    words.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string first_config(const FirstConfig& wanted) {
  const bool local = wanted.url.empty();
  std::string text =
      "# Millrace: every file that appears in `inbox` is converted into `outbox`.\n"
      "# `millrace check` says whether this file is right; a running agent takes changes up by "
      "itself.\n\n"
      "[[folder]]\n"
      "name = \"pictures\"\n"
      "inbox = " +
      toml_text(path_text(wanted.inbox)) + "\noutbox = " + toml_text(path_text(wanted.outbox)) +
      "\nto = " + toml_list(wanted.to) + "\n";
  text += local ? "via = \"local\"              # the embedded converter\n" : "via = \"api\"\n";
  text +=
      "# include = [\"*.png\", \"*.jpg\"]\n"
      "# after = \"archive\"        # keep | archive | delete\n"
      "# options = { quality = 80 }\n\n";
  if (!local) {
    return text + "[converter.api]\nurl = " + toml_text(wanted.url) +
           "\n# api_key = { secret = \"api\" }   # kept by: millrace secret set api < key.txt\n";
  }
  return text +
         "# A conversion API on the network, used with via = \"changethisfile\":\n"
         "# [converter.changethisfile]\n"
         "# url = \"https://changethisfile.com/v1/convert\"\n"
         "# api_key = { env = \"CTF_API_KEY\" }\n";
}

}  // namespace millrace
