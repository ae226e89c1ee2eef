#include "agent/serve/serve_metrics.hpp"

#include <cstdio>

namespace millrace::serve {
namespace {

constexpr std::array<std::string_view, 8> kNames = {
    "ok",         "unsupported_route", "conversion_failed", "image_too_large",
    "bad_option", "decoder_crashed",   "too_slow",          "internal"};

void family(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n");
  out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void sample(std::string& out, std::string_view name, std::string_view labels,
            std::string_view value) {
  out.append(name).append(labels).append(" ").append(value).append("\n");
}

}  // namespace

std::string_view name_of(RenderCode code) { return kNames.at(static_cast<std::size_t>(code)); }

void ServeMetrics::answered(int status) {
  const MutexLock lock(mutex_);
  ++answers_[status];
}

void ServeMetrics::rendered(RenderCode code, Duration took) {
  const MutexLock lock(mutex_);
  ++conversions_.at(static_cast<std::size_t>(code));
  spent_ += took;
}

std::string ServeMetrics::text(std::int64_t in_flight, IdempotencyCache::Usage cache) const {
  std::string out;
  const MutexLock lock(mutex_);
  family(out, "millrace_serve_answers_total", "counter", "Answers by HTTP status.");
  for (const auto& [status, count] : answers_)
    sample(out, "millrace_serve_answers_total", "{status=\"" + std::to_string(status) + "\"}",
           std::to_string(count));
  family(out, "millrace_serve_conversions_total", "counter", "Conversions by how they ended.");
  for (std::size_t i = 0; i < kCodes; ++i)
    sample(out, "millrace_serve_conversions_total",
           "{result=\"" + std::string(kNames.at(i)) + "\"}", std::to_string(conversions_.at(i)));
  family(out, "millrace_serve_conversion_seconds_total", "counter", "Time spent converting.");
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", std::chrono::duration<double>(spent_).count());
  sample(out, "millrace_serve_conversion_seconds_total", "", seconds);
  family(out, "millrace_serve_replays_total", "counter", "Answers given again for a repeated key.");
  sample(out, "millrace_serve_replays_total", "", std::to_string(replays_.load()));
  family(out, "millrace_serve_in_flight", "gauge", "Requests that upload, wait or are converted.");
  sample(out, "millrace_serve_in_flight", "", std::to_string(in_flight));
  family(out, "millrace_serve_cache_bytes", "gauge", "Bytes of answers kept for repeated keys.");
  sample(out, "millrace_serve_cache_bytes", "", std::to_string(cache.bytes));
  family(out, "millrace_serve_cache_answers", "gauge", "Answers kept for repeated keys.");
  sample(out, "millrace_serve_cache_answers", "", std::to_string(cache.answers));
  return out;
}

}  // namespace millrace::serve
