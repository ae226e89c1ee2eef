// As much JSON (RFC 8259) as an error answer needs: strings inside objects.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// The string at this path of object members, if the whole text is well-formed JSON (nesting up to
// 32) and there is one. The first of equal names counts.
std::optional<std::string> json_string_at(std::string_view json,
                                          const std::vector<std::string_view>& path);

}  // namespace millrace
