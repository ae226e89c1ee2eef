#include "agent/watch/glob.hpp"

namespace millrace {
namespace {

constexpr auto kNowhere = std::string_view::npos;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Where the character that starts at `at` ends: continuation bytes of UTF-8 belong to it.
std::size_t after_character(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;) ++at;
  return at;
}

// A place to go back to: a star, and how far into the text it reaches so far.
struct Star {
  std::size_t pattern = kNowhere;
  std::size_t text = 0;
};

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  Star within;  // the last `*` since the last `**`
  Star across;  // the last `**`: whatever came before it need not be tried again
  std::size_t p = 0;
  std::size_t t = 0;
  while (t < text.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      const bool both = p + 1 < pattern.size() && pattern[p + 1] == '*';
      p += both ? 2 : 1;
      (both ? across : within) = {p, t};
      if (both) within = {};
      continue;
    }
    if (p < pattern.size() && t < text.size()) {
      if (pattern[p] == '?' && text[t] != '/') {
        ++p;
        t = after_character(text, t);
        continue;
      }
      if (pattern[p] != '?' && lower(pattern[p]) == lower(text[t])) {
        ++p;
        ++t;
        continue;
      }
    }
    if (within.pattern != kNowhere && within.text < text.size() && text[within.text] != '/') {
      p = within.pattern;
      t = ++within.text;
    } else if (across.pattern != kNowhere && across.text < text.size()) {
      p = across.pattern;
      t = ++across.text;
      within = {};
    } else {
      return false;
    }
  }
  return true;
}

bool pattern_matches(std::string_view pattern, std::string_view name) {
  if (pattern.find('/') == kNowhere) name.remove_prefix(name.rfind('/') + 1);
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  return glob_matches(pattern, name);
}

}  // namespace millrace
