// What the stand-in API is started with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"
#include "tests/api_server/rate_limit.hpp"

namespace millrace::test {

struct LatencyRule {
  double median_ms = 0;
  double sigma = 0;  // of the logarithm; 0: always the median
  std::uint64_t seed = 1;
  double ms_per_mb = 0;  // on top, by the size of the input
  // "40" or "lognormal:MEDIAN_MS:SIGMA:SEED".
  static std::optional<LatencyRule> parse(std::string_view text);
};

enum class RateHeaders { None, RetryAfter, RateLimit, All };

struct ServerOptions {
  int port = 0;
  std::string unix_socket;
  LatencyRule latency;
  std::string script;  // text of the fault script
  std::uint64_t seed = 1;
  std::string bill_book;
  std::optional<RateLimit> rate;
  RateHeaders rate_headers = RateHeaders::All;
  std::optional<std::int64_t> quota;
  int quota_status = 429;
  std::string token;
  std::optional<Duration> key_window;  // after which a key is forgotten
  std::int64_t date_offset = 0;        // seconds by which the server's clock is ahead
  std::size_t output_bytes = 0;
  bool die_with_parent = false;
};

// Input with what is wrong, for people.
Result<ServerOptions> parse_options(int argc, char** argv);
std::string usage();

}  // namespace millrace::test
