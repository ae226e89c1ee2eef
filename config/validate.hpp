// Contradictions that no single key shows. Pure: touches no disk.
#pragma once

#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace millrace {

struct Place {
  int line = 0;
  int column = 0;
};

struct Places {  // where each section stands, in the order of Settings
  Place events;
  std::vector<Place> converters;
  std::vector<Place> stores;
  std::vector<Place> folders;
};

void validate(const Settings& settings, const Places& places, std::vector<Problem>& problems);

// Whether this may be the name of a format at all: 1 to 16 small letters and digits.
bool is_format(std::string_view text);

}  // namespace millrace
