// Which names beneath an inbox are candidates at all. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/job/candidate.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {

// Names that programs give to files that they are still writing, and litter of desktops.
std::vector<std::string> default_in_flight_patterns();

struct NameRules {
  std::vector<std::string> include = {"*"};
  std::vector<std::string> exclude;
  std::vector<std::string> in_flight = default_in_flight_patterns();
  bool recursive = true;
  std::size_t deepest = kMaxNameDepth;  // parts of a name
  std::string ready_marker;             // "{name}.ready", "{stem}.done"; empty for none
};

class NameFilter {
 public:
  explicit NameFilter(NameRules rules);

  // Nothing if the name is a candidate; else why not, for people.
  std::optional<std::string> why_not(std::string_view name) const;
  // Nothing if the directory is to be entered.
  std::optional<std::string> why_not_enter(std::string_view directory) const;
  // The marker that must lie beside `name`, or nothing if there is no rule.
  std::optional<Name> marker_of(std::string_view name) const;
  // The file that `name` marks as ready, where the marker's name tells it.
  std::optional<Name> marked_by(std::string_view name) const;

 private:
  std::optional<std::string> why_not_leaf(std::string_view leaf) const;

  NameRules rules_;
  std::string marker_glob_;
};

}  // namespace millrace
