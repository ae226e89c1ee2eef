// How the bytes of a target format begin and end: one table, from the formats' own specifications.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

struct FormatMarks {
  std::string_view target;      // lower case; empty in the row for unknown targets
  std::string_view media_type;  // for Accept
  // Looks at the first bytes, up to kFirstBytes; fewer only if the whole answer is shorter.
  bool (*begins)(std::string_view first);
  // Looks at the last bytes (at least `tail` of them if there are as many), the first ones, and
  // the whole size; null where the format has no end mark.
  bool (*ends)(std::string_view last, std::string_view first, std::uint64_t size);
  std::size_t tail = 0;
};

inline constexpr std::size_t kFirstBytes = 1024;

// The row of this target; never null. A target without a row must be neither empty nor a web page
// nor JSON.
const FormatMarks& marks_of(std::string_view target);

// A web page, or JSON, by its first bytes.
bool looks_like_html(std::string_view first);
bool looks_like_json(std::string_view first);

}  // namespace millrace
