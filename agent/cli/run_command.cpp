// `millrace run`: the agent in the foreground, until a signal ends it.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/agent_view.hpp"
#include "agent/cli/check_paths.hpp"
#include "agent/cli/context.hpp"
#include "agent/cli/event_listener.hpp"
#include "agent/cli/idle_wait.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/pipeline/engine.hpp"
#include "agent/pipeline/services.hpp"
#include "agent/report/log.hpp"
#include "config/values.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"
#include "platform/host/service.hpp"

namespace millrace {
namespace {

// How often the configuration file is looked at. A signal is noticed at once.
constexpr std::chrono::milliseconds kTurn{1000};
// Files of one folder that the converter refuses in a row before a person is asked.
constexpr int kMostRefusals = 10;
constexpr Duration kLedgerCheck = std::chrono::seconds{10};
constexpr Duration kKeyCheck = std::chrono::seconds{2};

// A service has no stderr: its log is a file in any case, and what matters of it an event as well.
Result<void> start_agent_log(const AgentSettings& agent) {
  LogFile file{agent.log_file, agent.log_size, agent.log_files};
  if (!is_service()) return start_log(agent.log_level, file);
  if (file.path.empty()) file.path = agent.state_dir / "agent.log";
  return start_log(agent.log_level, file, [](Level level, std::string_view line) {
    write_event(level == Level::Error ? EventLevel::Error : EventLevel::Warning, line);
  });
}

class Agent {
 public:
  Agent(const Options& options, Context context)
      : options_(options), context_(std::move(context)) {}

  int run() {
    const std::unique_ptr<SignalSource> signals = take_signals();
    if (auto begun = start(); !begun) {
      say_error(options_, begun.error());
      return exit_status_for(begun.error());
    }
    notify_service_manager("READY=1");
    log(Level::Info, "millrace " MILLRACE_VERSION " runs",
        {{"folders", std::to_string(context_.settings.folders.size())},
         {"configuration", path_text(context_.config_file)}});
    const int status = options_.once ? run_once(*signals) : run_for_long(*signals);
    notify_service_manager("STOPPING=1");
    log(Level::Info, "millrace stops");
    control_.reset();
    events_.reset();
    const bool all_back = engine_->stop();
    log(Level::Info, "millrace stopped");
    const bool log_written = stop_log();
    if (!all_back || !log_written) exit_now(status);
    return status;
  }

 private:
  Result<void> start() {
    const AgentSettings& agent = context_.settings.agent;
    if (auto apart = state_dir_apart(context_.settings); !apart) return apart;
    if (auto made = make_state_dir(agent.state_dir); !made) return made;
    auto lock = lock_instance(agent.state_dir);
    if (!lock) return std::unexpected(lock.error());
    lock_ = std::move(*lock);
    if (auto logging = start_agent_log(agent); !logging) return logging;
    EngineOptions engine;
    engine.settings = context_.settings;
    engine.ledger_file = ledger_file(context_.settings);
    engine.program = own_executable();
    engine.runtime_dir = context_.folders.runtime_dir;
    engine.config_dir = context_.config_file.parent_path();
    engine.command = options_.once ? "run --once" : "run";
    // A batch that ends tells its failures; an agent that runs for months must not go on paying.
    if (!options_.once) engine.most_refusals = kMostRefusals;
    auto started = Engine::start(std::move(engine), clock_);
    if (!started) return std::unexpected(started.error());
    engine_ = std::move(*started);
    auto reader = open_ledger_reader(ledger_file(context_.settings));
    if (!reader) return std::unexpected(reader.error());
    view_ = std::make_unique<AgentView>(engine_.get(), context_.settings, std::move(*reader),
                                        [this] { return reload(); });
    view_->show_events(event_counts_);
    if (!options_.once)
      if (auto listening = listen(context_.settings.events); !listening) return listening;
    const auto socket = control_socket(context_.settings, context_.folders);
    auto control = start_control(socket, *view_);
    if (!control) return std::unexpected(control.error());
    control_ = std::move(*control);
    if (auto noted = note_control_socket(context_.settings, socket); !noted)
      log_error(Level::Warning, "commands of another session may not find this agent",
                noted.error());
    return {};
  }

  Result<std::unique_ptr<EventServer>> open_events(const EventsSettings& settings) {
    auto listening = listen_for_events(
        settings, context_.config_file.parent_path(), event_counts_,
        [this](const PushedObject& object) { return engine_->hint(object.bucket, object.key); });
    if (!listening) return fail(ErrorKind::Configuration, listening.error().message);
    return listening;
  }

  // Where it fails, the old listener stays.
  Result<void> listen(const EventsSettings& settings) {
    const bool same_address = settings.listen == listened_.listen;
    if (same_address) events_.reset();  // two cannot have it
    auto fresh = open_events(settings);
    if (!fresh && same_address) {
      auto old = open_events(listened_);
      // Without one, the next reload tries again.
      if (old)
        events_ = std::move(*old);
      else
        listened_ = {};
    }
    if (!fresh) return std::unexpected(fresh.error());
    events_ = std::move(*fresh);
    listened_ = settings;
    if (events_ != nullptr)
      log(Level::Info, "stores may push events", {{"address", events_->address()}});
    return {};
  }

  int run_for_long(SignalSource& signals) {
    const auto watchdog = watchdog_interval();
    const auto turn =
        watchdog
            ? std::min(kTurn, std::chrono::duration_cast<std::chrono::milliseconds>(*watchdog) / 3)
            : kTurn;
    TimePoint next_check = clock_.now() + kLedgerCheck;
    TimePoint next_look = clock_.now() + kKeyCheck;
    for (;;) {
      const auto signal = signals.wait(turn);
      if (signal == Signal::Stop) return kAllWell;
      if (signal == Signal::Reload) report(reload());
      if (watchdog && engine_->alive()) notify_service_manager("WATCHDOG=1");
      if (const auto time = time_of(context_.config_file); time != context_.config_time) {
        context_.config_time = time;
        report(reload());
      }
      if (clock_.now() >= next_look) {
        next_look = clock_.now() + kKeyCheck;
        const MutexLock lock(reload_mutex_);
        engine_->look_at_keys();
      }
      if (clock_.now() < next_check) continue;
      next_check = clock_.now() + kLedgerCheck;
      engine_->refresh_budgets();
      engine_->forget_old();
      if (auto healthy = engine_->ledger().healthy(); !healthy) {
        log_error(Level::Error,
                  "the ledger was changed from outside; stopping before anything is "
                  "paid for twice",
                  healthy.error());
        return kWrongUse;
      }
    }
  }

  int run_once(SignalSource& signals) {
    auto reader = open_ledger_reader(ledger_file(context_.settings));
    if (!reader) return kWrongUse;
    const Duration patience = parse_duration(options_.patience).value_or(std::chrono::minutes{10});
    std::string stopped_because;
    const IdleEnd end =
        wait_until_idle(*engine_, **reader, patience, signals, [&](const IdleEnd& so_far) {
          if (const auto unseen = why_unseen(*engine_, true)) {
            stopped_because = *unseen;
            return false;
          }
          if (so_far.waiting == 0 || !engine_->all_seen()) return true;
          stopped_because = why_hopeless(*engine_, **reader).value_or("");
          return stopped_because.empty();
        });
    const Tally tally = engine_->tally();
    const auto left_out = why_left_out(*engine_, end);
    if (options_.json) {
      nlohmann::json summary{{"delivered", tally.delivered},
                             {"skipped", tally.skipped},
                             {"failed", tally.failed},
                             {"waiting", end.waiting}};
      if (!stopped_because.empty()) summary["stopped"] = printable(stopped_because);
      if (left_out) summary["left_out"] = printable(*left_out);
      std::cout << summary << "\n";
    } else {
      std::cout << tally.delivered << " converted, " << tally.skipped << " skipped, "
                << tally.failed << " failed, " << end.waiting << " waiting\n";
      if (!stopped_because.empty()) {
        std::cerr << "millrace: stopped: " << printable(stopped_because) << "\n";
      } else if (left_out) {
        std::cerr << "millrace: " << printable(*left_out) << "\n";
      }
    }
    if (end.stopped && signals.interrupted()) return kInterrupted;
    if (!stopped_because.empty()) return kStoppedEarly;
    return tally.failed > 0 || end.waiting > 0 || left_out ? kSomeFailed : kAllWell;
  }

  // A bad file is refused and the old settings stay.
  Result<void> reload() {
    // From the command channel as well as from this thread.
    const MutexLock lock(reload_mutex_);
    auto loaded = load_settings_file(context_.config_file, surroundings(context_.folders));
    if (!loaded) {
      return fail(ErrorKind::Configuration, to_text(loaded.error(), context_.config_file));
    }
    if (auto apart = state_dir_apart(*loaded); !apart) return apart;
    notify_service_manager("RELOADING=1");
    const auto done = take_up(std::move(*loaded));
    notify_service_manager("READY=1");
    if (done) log(Level::Info, "configuration reloaded");
    return done;
  }

  // All of it or nothing.
  Result<void> take_up(Settings fresh) {
    const EventsSettings before = listened_;
    const bool other_events = !options_.once && fresh.events != before;
    if (other_events)
      if (auto listening = listen(fresh.events); !listening) return listening;
    auto done = engine_->reload(std::move(fresh));
    if (done || !other_events) return done;
    if (auto back = listen(before); !back)
      log_error(Level::Error, "stores can push no events any more", back.error());
    return done;
  }

  static void report(const Result<void>& reloaded) {
    if (reloaded) return;
    log_error(Level::Error, "the new configuration is refused, the old one stays",
              reloaded.error());
  }

  const Options& options_;
  Context context_;
  const SystemClock clock_;
  Mutex reload_mutex_;
  std::unique_ptr<InstanceLock> lock_;
  std::unique_ptr<Engine> engine_;
  EventCounts event_counts_;
  std::unique_ptr<EventServer> events_;  // start, stop and reload only, one at a time
  EventsSettings listened_;              // what it was made from
  std::unique_ptr<AgentView> view_;
  std::unique_ptr<ControlServer> control_;
};

int run_here(const Options& options) {
  auto context = load_context(options);
  if (!context) return context.error();
  if (context->settings.folders.empty()) {
    say_error(options, {ErrorKind::Configuration,
                        path_text(context->config_file) + " has no [[folder]]; add one",
                        0,
                        {}});
    return kWrongUse;
  }
  return Agent(options, std::move(*context)).run();
}

}  // namespace

int run_agent(const Options& options) {
  return options.once ? run_here(options)
                      : run_under_service_manager([&options] { return run_here(options); });
}

}  // namespace millrace
