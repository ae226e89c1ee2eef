#include "agent/cli/idle_wait.hpp"

#include <map>
#include <utility>

namespace millrace {
namespace {

constexpr std::chrono::milliseconds kLookForSignal{20};
// Counting rows costs more than asking the engine: it is done this often while work goes on.
constexpr Duration kCountEvery = std::chrono::milliseconds{250};

// Of the engine's own folders: the ledger may remember others, whose files nobody converts now.
std::int64_t count_waiting(const Settings& settings, LedgerReader& reader) {
  auto counts = reader.counts_by_folder();
  if (!counts) return 1;  // not known: asked again the next turn
  std::int64_t waiting = 0;
  for (const FolderSettings& folder : settings.folders) {
    const FolderCounts& count = (*counts)[folder.name];
    waiting += count.waiting + count.converting;
  }
  return waiting;
}

// The converters that will not be asked again before a person does something, each with why.
std::map<std::string, std::string> shut_for_good(const Engine& engine) {
  std::map<std::string, std::string> shut;
  for (const ConverterStatus& converter : engine.converters()) {
    const GateView& gate = converter.gate;
    const bool for_good =
        gate.state == GateState::Stopped || (gate.state == GateState::Paused && !gate.opens_in);
    if (for_good && gate.in_flight == 0) {
      shut[converter.name] = "converter " + converter.name + ": " + gate.reason;
    }
  }
  return shut;
}

}  // namespace

std::optional<std::string> why_hopeless(const Engine& engine, LedgerReader& reader) {
  const auto shut = shut_for_good(engine);
  if (shut.empty()) return std::nullopt;  // the usual case; counting rows costs more
  auto counts = reader.counts_by_folder();
  if (!counts) return std::nullopt;
  std::optional<std::string> first;
  for (const FolderSettings& folder : engine.settings().folders) {
    const FolderCounts& count = (*counts)[folder.name];
    if (count.waiting + count.converting == 0) continue;
    const auto why = shut.find(folder.via);
    if (why == shut.end()) return std::nullopt;
    if (!first) first = why->second;
  }
  return first;
}

std::optional<std::string> why_unseen(const Engine& engine, bool for_good) {
  for (const FolderStatus& status : engine.folders()) {
    const RootHealth& health = status.health;
    if (health.scans == 0 && !health.why.empty() && (health.needs_person || !for_good))
      return status.inbox + ": " + health.why;
  }
  return std::nullopt;
}

std::optional<std::string> why_left_out(const Engine& engine, const IdleEnd& end) {
  if (auto unseen = why_unseen(engine, false)) return unseen;
  if (!end.given_up || end.all_seen) return std::nullopt;
  if (end.settling == 0) return "not every file had been looked at when --patience ended";
  const std::string files =
      end.settling == 1 ? "1 file was" : std::to_string(end.settling) + " files were";
  return files + " not whole yet when --patience ended: still being written, or without a marker";
}

IdleEnd wait_until_idle(Engine& engine, LedgerReader& reader, Duration patience,
                        SignalSource& signals,
                        const std::function<bool(const IdleEnd& so_far)>& each_turn) {
  const Settings settings = engine.settings();
  IdleEnd end;
  std::int64_t ended = -1;
  TimePoint moved = std::chrono::steady_clock::now();
  TimePoint next_count{};
  for (;;) {
    if (signals.wait(kLookForSignal) == Signal::Stop) {
      end.stopped = true;
      end.waiting = count_waiting(settings, reader);
      return end;
    }
    const TimePoint now = std::chrono::steady_clock::now();
    const bool idle = engine.idle();
    if (idle || now >= next_count) {
      // Asked before the count: what ended in between is then counted as still waiting.
      end.all_seen = engine.all_seen();
      end.waiting = count_waiting(settings, reader);
      next_count = now + kCountEvery;
      if (idle && end.waiting == 0 && engine.idle()) return end;
    }
    if (each_turn && !each_turn(end)) {
      end.guarded = true;
      return end;
    }
    const Tally tally = engine.tally();
    if (const std::int64_t count = tally.ended() + tally.steps_of_lists; count != ended) {
      ended = count;
      moved = now;
    }
    if (now - moved > patience) {
      end.given_up = true;
      end.settling = engine.settling();
      end.all_seen = engine.all_seen();
      end.waiting = count_waiting(settings, reader);
      return end;
    }
  }
}

}  // namespace millrace
