// A configuration file after parsing and before its keys mean anything. toml++ stays in one source.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.hpp"

namespace millrace {

struct RawValue;
using RawArray = std::vector<RawValue>;
using RawTable = std::map<std::string, RawValue, std::less<>>;

struct RawValue {
  // monostate: a kind of value that no setting has (a date, a time).
  std::variant<std::monostate, bool, std::int64_t, double, std::string, RawArray, RawTable> value;
  int line = 0;  // from 1
  int column = 0;
};

// Broken TOML: one problem with its place.
std::expected<RawTable, Problem> parse_toml(std::string_view text);

}  // namespace millrace
