// Waiting until everything is done: what ends a batch and `run --once`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/engine.hpp"
#include "platform/host/host.hpp"

namespace millrace {

struct IdleEnd {
  std::int64_t waiting = 0;  // targets of the engine's folders that are not final
  bool all_seen = false;     // the engine had seen everything before they were counted
  std::size_t settling = 0;  // files that were not whole yet; given_up only
  bool stopped = false;      // by a signal
  bool given_up = false;     // no progress for as long as patience lasts
  bool guarded = false;      // `each_turn` said to stop
};

// Returns when nothing is left, when nothing has moved for `patience`, or on a signal. `each_turn`
// is called many times a second with what is known so far; false ends the wait.
IdleEnd wait_until_idle(Engine& engine, LedgerReader& reader, Duration patience,
                        SignalSource& signals,
                        const std::function<bool(const IdleEnd& so_far)>& each_turn);

// Why nothing that waits can move before a person does something (a key, a quota, a budget): all of
// it needs converters that are shut for good. Nothing while one of them may be asked.
std::optional<std::string> why_hopeless(const Engine& engine, LedgerReader& reader);

// Why an inbox was never seen. With `for_good` only one that will not be before a person does
// something (a key, a right).
std::optional<std::string> why_unseen(const Engine& engine, bool for_good);

// Why not every file is among those that ended or wait: an inbox was never seen, or patience ended
// before a file was whole.
std::optional<std::string> why_left_out(const Engine& engine, const IdleEnd& end);

}  // namespace millrace
