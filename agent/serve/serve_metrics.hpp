// What the conversion API counts, as Prometheus reads it. No label comes from a request.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "agent/serve/idempotency_cache.hpp"
#include "agent/serve/renderer.hpp"
#include "platform/base/mutex.hpp"

namespace millrace::serve {

std::string_view name_of(RenderCode code);

// Thread-safe; never blocks.
class ServeMetrics {
 public:
  void answered(int status);
  void rendered(RenderCode code, Duration took);
  void replayed() { ++replays_; }
  // https://prometheus.io/docs/instrumenting/exposition_formats/
  std::string text(std::int64_t in_flight, IdempotencyCache::Usage cache) const;

 private:
  static constexpr std::size_t kCodes = static_cast<std::size_t>(RenderCode::Internal) + 1;
  mutable Mutex mutex_;
  std::map<int, std::uint64_t> answers_ GUARDED_BY(mutex_);
  std::array<std::uint64_t, kCodes> conversions_ GUARDED_BY(mutex_){};
  Duration spent_ GUARDED_BY(mutex_){};
  std::atomic<std::uint64_t> replays_{0};  // a plain count
};

}  // namespace millrace::serve
