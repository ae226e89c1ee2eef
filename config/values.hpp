// The texts that settings are written in: durations, sizes, rates, shares.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/clock.hpp"

namespace millrace {

std::optional<Duration> parse_duration(std::string_view text);   // "300ms" "2s" "5m" "1h" "7d"
std::optional<std::uint64_t> parse_size(std::string_view text);  // "100KB" "1GB" (1000), "1MiB"
std::optional<double> parse_rate(std::string_view text);         // "10/m" "12/s" -> per second
std::optional<double> parse_share(std::string_view text);        // "10%" -> 0.1
std::string duration_text(Duration d);  // the shortest exact form: "1500ms", "2s", "5m"

}  // namespace millrace
