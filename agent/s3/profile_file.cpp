#include "agent/s3/profile_file.hpp"

#include <algorithm>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kSpace = " \t";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string_view next_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// A comment within a line begins with a space and `#` or `;`.
std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 1; i < line.size(); ++i) {
    const bool mark = line[i] == '#' || line[i] == ';';
    if (mark && kSpace.contains(line[i - 1])) return line.substr(0, i);
  }
  return line;
}

// The profile whose section begins with this line; empty for a section of something else.
std::string_view section_name(std::string_view line, ProfileFile file) {
  const auto end = line.find(']');
  if (end == line.npos) return {};
  std::string_view name = trimmed(line.substr(1, end - 1));
  if (file == ProfileFile::Credentials || name == "default") return name;
  constexpr std::string_view kProfile = "profile";
  if (!name.starts_with(kProfile) || name.size() == kProfile.size() ||
      !kSpace.contains(name[kProfile.size()]))
    return {};
  name = trimmed(name.substr(kProfile.size()));
  const bool quoted = name.size() >= 2 && name.starts_with('"') && name.ends_with('"');
  return quoted ? name.substr(1, name.size() - 2) : name;
}

}  // namespace

std::optional<Profile> find_profile(std::string_view text, ProfileFile file,
                                    std::string_view name) {
  std::optional<Profile> found;
  bool inside = false;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.empty() || line[0] == '#' || line[0] == ';' || kSpace.contains(line[0])) continue;
    if (line[0] == '[') {
      inside = section_name(line, file) == name;
      if (inside && !found) found.emplace();
      continue;
    }
    const auto equals = line.find('=');
    if (!inside || equals == line.npos) continue;
    (*found)[to_lower_ascii(trimmed(line.substr(0, equals)))] =
        trimmed(without_comment(line.substr(equals + 1)));
  }
  return found;
}

}  // namespace millrace
