// Times as XML and JSON of AWS write them.
#pragma once

#include <optional>
#include <string_view>

#include "platform/base/clock.hpp"

namespace millrace {

// `2026-03-01T12:00:00Z`, with or without a fraction, which is left out; UTC only.
std::optional<WallTime> parse_iso_time(std::string_view text);

}  // namespace millrace
