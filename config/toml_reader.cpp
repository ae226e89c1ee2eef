#include <toml++/toml.h>

#include <optional>

#include "config/raw_value.hpp"

namespace millrace {
namespace {

RawValue convert(const toml::node& node);

RawTable convert_table(const toml::table& table) {
  RawTable raw;
  for (const auto& [key, node] : table) raw.emplace(std::string(key.str()), convert(node));
  return raw;
}

RawValue convert(const toml::node& node) {
  RawValue raw;
  raw.line = static_cast<int>(node.source().begin.line);
  raw.column = static_cast<int>(node.source().begin.column);
  if (const auto* table = node.as_table()) {
    raw.value = convert_table(*table);
  } else if (const auto* array = node.as_array()) {
    RawArray items;
    for (const auto& item : *array) items.push_back(convert(item));
    raw.value = std::move(items);
  } else if (const auto text = node.value_exact<std::string>()) {
    raw.value = *text;
  } else if (const auto flag = node.value_exact<bool>()) {
    raw.value = *flag;
  } else if (const auto integer = node.value_exact<std::int64_t>()) {
    raw.value = *integer;
  } else if (const auto number = node.value_exact<double>()) {
    raw.value = *number;
  }
  return raw;
}

}  // namespace

std::expected<RawTable, Problem> parse_toml(std::string_view text) {
  try {
    return convert_table(toml::parse(text));
  } catch (const toml::parse_error& broken) {
    const auto& place = broken.source().begin;
    return std::unexpected(Problem{static_cast<int>(place.line), static_cast<int>(place.column),
                                   std::string(broken.description())});
  }
}

}  // namespace millrace
