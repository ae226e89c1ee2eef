#include "platform/fs/path_text.hpp"

#include <cstdlib>

#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

bool starts_with_home(std::string_view text) { return text == "~" || text.starts_with("~/"); }

std::unexpected<Error> refuse(std::string_view name, std::string_view why) {
  return fail(ErrorKind::Input, "name " + printable(name, 300) + " " + std::string(why));
}

}  // namespace

Result<void> check_relative_name(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) return refuse(name, "holds a zero byte");
  std::size_t depth = 0;
  for (std::size_t begin = 0;; ++depth) {
    const auto slash = name.find('/', begin);
    const std::string_view part = name.substr(begin, slash - begin);
    if (depth == kMaxNameDepth) return refuse(name, "is too deep");
    if (part.empty()) return refuse(name, "has an empty part");
    if (part == "." || part == "..") return refuse(name, "leads out of its directory");
    if (slash == std::string_view::npos) return {};
    begin = slash + 1;
  }
}

std::string_view parent_of(std::string_view name) {
  const auto slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : name.substr(0, slash);
}

std::string_view leaf_of(std::string_view name) { return name.substr(name.rfind('/') + 1); }

std::string join_name(std::string_view directory, std::string_view leaf) {
  std::string joined(directory);
  if (!joined.empty()) joined += '/';
  return joined.append(leaf);
}

std::vector<std::string_view> split_name(std::string_view name) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const auto slash = name.find('/', begin);
    parts.push_back(name.substr(begin, slash - begin));
    if (slash == std::string_view::npos) return parts;
    begin = slash + 1;
  }
}

std::filesystem::path expand_home(std::string_view text, const std::filesystem::path& home) {
  if (!starts_with_home(text)) return native_path(text);
  return text.size() <= 2 ? home : home / native_path(text.substr(2));
}

Result<std::filesystem::path> expand_home(std::string_view text) {
  if (!starts_with_home(text)) return native_path(text);
  for (const char* variable : {"HOME", "USERPROFILE"})
    if (const char* home = std::getenv(variable); home && *home) return expand_home(text, home);
  return fail(ErrorKind::Configuration,
              printable(text) + ": no home folder is known (HOME is not set)");
}

}  // namespace millrace
