// File name patterns as people write them.
#pragma once

#include <string_view>

namespace millrace {

// `*` matches any run of bytes but `/`, `**` any run of bytes, `?` one character but `/`. ASCII
// letters match in either case. At most pattern times text steps, whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view text);

// A pattern with `/` is held against the whole relative name, another one against its last part.
bool pattern_matches(std::string_view pattern, std::string_view name);

}  // namespace millrace
