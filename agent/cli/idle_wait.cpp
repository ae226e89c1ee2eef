#include "agent/cli/idle_wait.hpp"

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kTurn{20};
// Counting rows costs more than asking the engine: it is done this often while work goes on.
constexpr Duration kCountEvery = std::chrono::milliseconds{250};

std::int64_t count_waiting(LedgerReader& reader) {
  const auto counts = reader.counts_by_folder();
  if (!counts) return 1;  // not known: asked again the next turn
  std::int64_t waiting = 0;
  for (const auto& [name, count] : *counts) waiting += count.waiting + count.converting;
  return waiting;
}

}  // namespace

IdleEnd wait_until_idle(Engine& engine, LedgerReader& reader, Duration patience,
                        SignalSource& signals,
                        const std::function<bool(std::int64_t waiting)>& each_turn) {
  IdleEnd end;
  std::int64_t ended = -1;
  TimePoint moved = std::chrono::steady_clock::now();
  TimePoint next_count{};
  for (;;) {
    if (signals.wait(kTurn) == Signal::Stop) {
      end.stopped = true;
      end.waiting = count_waiting(reader);
      return end;
    }
    const TimePoint now = std::chrono::steady_clock::now();
    const bool idle = engine.idle();
    if (idle || now >= next_count) {
      // Asked before the count: what ended in between is then counted as still waiting.
      end.waiting = count_waiting(reader);
      next_count = now + kCountEvery;
      if (idle && end.waiting == 0 && engine.idle()) return end;
    }
    if (each_turn && !each_turn(end.waiting)) {
      end.guarded = true;
      return end;
    }
    if (const std::int64_t count = engine.tally().ended(); count != ended) {
      ended = count;
      moved = now;
    }
    if (now - moved > patience) {
      end.given_up = true;
      return end;
    }
  }
}

}  // namespace millrace
