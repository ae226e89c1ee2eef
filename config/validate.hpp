// Contradictions that no single key shows. Pure: touches no disk.
#pragma once

#include <vector>

#include "config/load.hpp"

namespace millrace {

struct Place {
  int line = 0;
  int column = 0;
};

struct Places {  // where each section stands, in the order of Settings
  std::vector<Place> converters;
  std::vector<Place> folders;
};

void validate(const Settings& settings, const Places& places, std::vector<Problem>& problems);

}  // namespace millrace
