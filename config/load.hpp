// From a TOML file to checked settings. Every problem is found in one go, each with its place.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace millrace {

struct Problem {
  int line = 0;  // from 1; 0: the file as a whole
  int column = 0;
  std::string message;  // names the key and says what to do
};

// What the loader must know of the machine; given, so that tests need no environment.
struct Surroundings {
  std::filesystem::path home;  // for `~/`
  std::filesystem::path default_state_dir;
  bool has_renderer = true;  // millrace-render is there: [converter.local] exists
  bool has_buckets = true;   // S3 is in this build: an outbox may be a bucket
};

using LoadResult = std::expected<Settings, std::vector<Problem>>;

LoadResult load_settings(std::string_view toml, const std::filesystem::path& file,
                         const Surroundings& around);
LoadResult load_settings_file(const std::filesystem::path& file, const Surroundings& around);

// One line a problem: `config.toml:12:3: unknown key ...`.
std::string to_text(const std::vector<Problem>& problems, const std::filesystem::path& file);

// One row for each key, for the reference in the documentation and for `check`.
struct KeyInfo {
  std::string_view section, name, form, default_text, meaning;
};
std::vector<KeyInfo> known_keys();

}  // namespace millrace
