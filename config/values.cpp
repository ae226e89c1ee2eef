#include "config/values.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace millrace {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kDurations{Unit{"ms", 1e6}, Unit{"s", 1e9}, Unit{"m", 60e9}, Unit{"h", 3600e9},
                                Unit{"d", 86400e9}};
constexpr std::array kSizes{Unit{"B", 1},
                            Unit{"KB", 1e3},
                            Unit{"MB", 1e6},
                            Unit{"GB", 1e9},
                            Unit{"TB", 1e12},
                            Unit{"KiB", 1024.0},
                            Unit{"MiB", 1024.0 * 1024},
                            Unit{"GiB", 1024.0 * 1024 * 1024},
                            Unit{"TiB", 1024.0 * 1024 * 1024 * 1024}};
// Requests a second for "N/unit".
constexpr std::array kRates{Unit{"/s", 1}, Unit{"/m", 1.0 / 60}, Unit{"/h", 1.0 / 3600},
                            Unit{"/d", 1.0 / 86400}};

// A number that is not negative, directly followed by one of the units.
template <std::size_t N>
std::optional<double> parse(std::string_view text, const std::array<Unit, N>& units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& row : units) {
    if (row.name == unit) return number * row.factor;
  }
  return std::nullopt;
}

constexpr double kMost = 9.2e18;  // below 2^63

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const auto ns = parse(text, kDurations);
  if (!ns || *ns > kMost) return std::nullopt;
  return Duration{static_cast<std::int64_t>(std::llround(*ns))};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto bytes = parse(text, kSizes);
  if (!bytes || *bytes > kMost) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(*bytes));
}

std::optional<double> parse_rate(std::string_view text) {
  const auto rate = parse(text, kRates);
  if (!rate || *rate <= 0) return std::nullopt;
  return rate;
}

std::optional<double> parse_share(std::string_view text) {
  const auto share = parse(text, std::array{Unit{"%", 0.01}});
  if (!share || *share > 1) return std::nullopt;
  return share;
}

std::string duration_text(Duration d) {
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  if (ms % 1000 != 0 || ms == 0) return std::to_string(ms) + "ms";
  const std::int64_t s = ms / 1000;
  if (s % 3600 == 0) return std::to_string(s / 3600) + "h";
  if (s % 60 == 0) return std::to_string(s / 60) + "m";
  return std::to_string(s) + "s";
}

}  // namespace millrace
