#include "agent/watch/name_filter.hpp"

#include <algorithm>
#include <utility>

#include "agent/watch/glob.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

// Folders that sync tools, storage boxes and macOS keep for themselves. Those that begin with a
// dot are left out as every such name is.
constexpr std::string_view kIgnoredFolders[] = {"@eaDir", "__MACOSX", "$RECYCLE.BIN",
                                                "System Volume Information", "#recycle"};

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string_view stem_of(std::string_view leaf) {
  const auto dot = leaf.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? leaf : leaf.substr(0, dot);
}

}  // namespace

std::vector<std::string> default_in_flight_patterns() {
  return {"*.part", "*.tmp", "*.crdownload", "*.filepart",  "*.download", "~$*",
          ".*",     "._*",   "Thumbs.db",    "desktop.ini", ".DS_Store",  ".~lock*"};
}

NameFilter::NameFilter(NameRules rules) : rules_(std::move(rules)) {
  marker_glob_ = replaced(replaced(rules_.ready_marker, "{name}", "*"), "{stem}", "*");
}

std::optional<std::string> NameFilter::why_not(std::string_view name) const {
  if (const auto above = parent_of(name); !above.empty()) {
    if (!rules_.recursive) return "it is in a subfolder and recursive is off";
    if (auto reason = why_not_enter(above)) return reason;
  }
  if (auto reason = why_not_leaf(leaf_of(name))) return reason;
  const auto matches = [&](const std::string& pattern) { return pattern_matches(pattern, name); };
  if (std::ranges::none_of(rules_.include, matches)) return "no include pattern matches";
  const auto excluded = std::ranges::find_if(rules_.exclude, matches);
  if (excluded != rules_.exclude.end()) return "exclude pattern " + *excluded + " matches";
  return std::nullopt;
}

std::optional<std::string> NameFilter::why_not_leaf(std::string_view leaf) const {
  for (const std::string& pattern : rules_.in_flight) {
    if (glob_matches(pattern, leaf)) return "its name says that it is in flight (" + pattern + ")";
  }
  if (!marker_glob_.empty() && glob_matches(marker_glob_, leaf)) return "it is a ready marker";
  return std::nullopt;
}

std::optional<std::string> NameFilter::why_not_enter(std::string_view directory) const {
  if (directory.empty()) return std::nullopt;
  if (!rules_.recursive) return "recursive is off";
  const auto parts = split_name(directory);
  // One part is left for the file.
  if (parts.size() >= rules_.deepest) {
    return "it lies deeper than " + std::to_string(rules_.deepest) + " folders";
  }
  for (const std::string_view part : parts) {
    // In a key these are names like any other.
    if (part == "." || part == "..") continue;
    if (part.starts_with('.') ||
        std::ranges::find(kIgnoredFolders, part) != std::end(kIgnoredFolders)) {
      return "the folder " + printable(part) + " is always left out";
    }
  }
  return std::nullopt;
}

std::optional<Name> NameFilter::marker_of(std::string_view name) const {
  if (rules_.ready_marker.empty()) return std::nullopt;
  const std::string_view leaf = leaf_of(name);
  return join_name(parent_of(name), replaced(replaced(rules_.ready_marker, "{stem}", stem_of(leaf)),
                                             "{name}", leaf));
}

std::optional<Name> NameFilter::marked_by(std::string_view name) const {
  constexpr std::string_view kWhole = "{name}";
  const auto at = rules_.ready_marker.find(kWhole);
  if (at == std::string::npos || !glob_matches(marker_glob_, leaf_of(name))) return std::nullopt;
  std::string_view leaf = leaf_of(name);
  const auto after = rules_.ready_marker.size() - at - kWhole.size();
  if (leaf.size() <= at + after) return std::nullopt;
  leaf.remove_prefix(at);
  leaf.remove_suffix(after);
  return join_name(parent_of(name), leaf);
}

}  // namespace millrace
