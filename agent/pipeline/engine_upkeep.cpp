// What an engine that runs for long does now and then: budgets, keys, forgetting.
#include <openssl/crypto.h>

#include <utility>

#include "agent/pipeline/engine.hpp"
#include "agent/pipeline/services.hpp"
#include "agent/report/log.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

// Longer than any month that is billed, and than any answer of a server is remembered.
constexpr std::chrono::hours kRemembered{90 * 24};
// A start has enough to do.
constexpr std::chrono::hours kFirstForgetting{1};
constexpr std::chrono::hours kForgettingEvery{24};

std::string pause_key(const std::string& name) { return "paused " + name; }

}  // namespace

void Engine::refresh_budgets() { count_spent(settings()); }

void Engine::count_spent(const Settings& settings) {
  const WallTime month = month_of(clock_.wall_now());
  for (const ConverterSettings& converter : settings.converters) {
    if (!dispatcher_->wants_spent_since(month, converter.name)) continue;
    const auto spent = ledger_->attempts_billed_since(converter.name, month);
    if (spent) {
      dispatcher_->set_spent_since(month, converter.name, *spent);
    } else {
      log_error(Level::Error, "cannot count this month's conversions", spent.error());
    }
  }
}

void Engine::look_at_keys() {
  const Settings now = settings();
  for (const ConverterSettings& converter : now.converters) {
    const auto gate = dispatcher_->gate(converter.name);
    if (!gate || gate->state != GateState::Stopped) continue;
    if (!note_key(converter)) continue;
    log(Level::Info, "the key is another one now; the converter goes on",
        {{"converter", converter.name}});
    dispatcher_->renew_converter(converter.name);
  }
}

// Whether the key can be read and differs from the one that was seen last.
bool Engine::note_key(const ConverterSettings& converter) {
  auto key = read_key(converter.api_key, options_.config_dir);
  if (!key) return false;
  const Digest digest = sha256(*key);
  OPENSSL_cleanse(key->data(), key->size());
  return std::exchange(keys_seen_[converter.name], digest) != digest;
}

// What a person paused stays so over a restart.
void Engine::keep_pauses(const Settings& settings) {
  const auto keep = [&](const std::string& name) {
    const auto paused = ledger_->recall(pause_key(name));
    if (!paused) log_error(Level::Error, "cannot tell whether it was paused", paused.error());
    if (paused && *paused == "yes") dispatcher_->keep_paused(name);
  };
  for (const FolderSettings& folder : settings.folders) keep(folder.name);
  for (const ConverterSettings& converter : settings.converters) keep(converter.name);
}

void Engine::remember_pause(const std::string& name, bool paused) {
  const auto kept = ledger_->remember(pause_key(name), paused ? "yes" : "no");
  if (!kept) log_error(Level::Error, "the next start will not know of the pause", kept.error());
}

// A piece at a time, so that nothing waits long for the ledger.
void Engine::forget_old() {
  const TimePoint now = clock_.now();
  if (!next_forgetting_) next_forgetting_ = now + kFirstForgetting;
  if (now < *next_forgetting_) return;
  const auto pruned = ledger_->prune(clock_.wall_now() - kRemembered, 1);
  if (!pruned) {
    next_forgetting_ = now + kForgettingEvery;
    return log_error(Level::Error, "what is old in the ledger cannot be forgotten", pruned.error());
  }
  forgotten_ += pruned->removed;
  if (!pruned->finished) return;
  next_forgetting_ = now + kForgettingEvery;
  if (const auto files = std::exchange(forgotten_, 0); files > 0)
    log(Level::Info, "what is long gone from the inboxes was forgotten",
        {{"files", std::to_string(files)}});
}

}  // namespace millrace
