// The configuration that `millrace init` writes.
#pragma once

#include <filesystem>
#include <string>

namespace millrace {

struct FirstConfig {
  std::filesystem::path inbox, outbox;  // absolute
  std::string to;                       // target formats, divided by commas
  std::string url;                      // of a conversion API; empty: the embedded converter
};

// Names only: every key that is not in it has the default that the reference in the README gives.
std::string first_config(const FirstConfig& wanted);

}  // namespace millrace
