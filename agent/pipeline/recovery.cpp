#include "agent/pipeline/recovery.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "agent/pipeline/source_actions.hpp"
#include "agent/report/log.hpp"
#include "platform/base/text.hpp"
#include "platform/base/thread.hpp"

namespace millrace {
namespace {

// How long until an outbox that is away is looked for again.
constexpr Duration kFirstWait = std::chrono::seconds{1};
constexpr Duration kLongestWait = std::chrono::seconds{10};

void wait_for(Duration time, const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any().wait_for(lock, stop, time, [] { return false; });
}

bool is_well(Folder& folder) {
  const auto outbox = folder.outbox.get();
  return outbox && (*outbox)->check_space(0);
}

template <typename Condition>
bool wait_until(Condition condition, Duration at_most) {
  const TimePoint end = std::chrono::steady_clock::now() + at_most;
  while (!condition() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return condition();
}

}  // namespace

Recovery::Recovery(Ledger& ledger, Dispatcher& dispatcher, KeptResults& kept, const Clock& clock,
                   ActOnSource act)
    : ledger_(ledger), dispatcher_(dispatcher), kept_(kept), clock_(clock), act_(std::move(act)) {}

void Recovery::begin(const std::vector<std::shared_ptr<Folder>>& folders) {
  auto interrupted = ledger_.interrupted_deliveries();
  const bool are_known = interrupted.has_value();
  if (!are_known) {
    log_error(Level::Error,
              "cannot read the interrupted deliveries; the next start makes them good",
              interrupted.error());
    interrupted.emplace();
  }
  std::map<std::string, std::vector<DeliveryInProgress>> deliveries;
  for (DeliveryInProgress& one : *interrupted) {
    deliveries[one.job.candidate.folder].push_back(std::move(one));
  }
  for (const auto& folder : folders) {
    auto task = std::make_shared<Task>();
    task->folder = folder;
    task->keeps_leftovers = !are_known;
    if (auto own = deliveries.extract(folder->settings.name)) {
      task->deliveries = std::move(own.mapped());
    }
    start(std::move(task), nullptr);
  }
  const Error no_folder{ErrorKind::Configuration, "its folder is in no configuration", 0, {}};
  for (const auto& [name, rows] : deliveries)
    for (const DeliveryInProgress& one : rows) keep_for_later(one, no_folder);
}

void Recovery::abandon(const std::string& folder) {
  const MutexLock lock(mutex_);
  const auto found = tasks_.find(folder);
  if (found != tasks_.end()) found->second->thread.request_stop();
}

void Recovery::take_over(const std::shared_ptr<Folder>& folder) {
  std::shared_ptr<Task> before;
  {
    const MutexLock lock(mutex_);
    const auto found = tasks_.find(folder->settings.name);
    if (found == tasks_.end() || found->second->done) return;
    before = found->second;
    before->thread.request_stop();  // from now on it releases nothing
  }
  auto task = std::make_shared<Task>();
  task->folder = folder;
  start(std::move(task), std::move(before));
}

bool Recovery::stop(Duration at_most) {
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, task] : tasks_) task->thread.request_stop();
  }
  return wait_until([this] { return threads_ == 0; }, at_most);
}

void Recovery::wait_looked(Duration at_most) const {
  wait_until([this] { return looked(); }, at_most);
}

void Recovery::start(std::shared_ptr<Task> task, std::shared_ptr<Task> before) {
  const std::string& name = task->folder->settings.name;
  dispatcher_.hold(name, "what an earlier run left is being looked at");
  ++looking_;
  ++threads_;
  const auto body = [this, &own = *task, before](const std::stop_token& stop) {
    if (before) {
      before->thread.join();
      own.deliveries = std::move(before->deliveries);
      own.keeps_leftovers = before->keeps_leftovers;
    }
    run(own, stop);
    --looking_;
    --threads_;
  };
  const MutexLock lock(mutex_);
  task->thread = start_thread("recovery", body);
  tasks_[name] = std::move(task);
}

void Recovery::run(Task& task, const std::stop_token& stop) {
  const std::string& name = task.folder->settings.name;
  std::string said;
  for (Duration wait = kFirstWait; !stop.stop_requested();
       wait = std::min(2 * wait, kLongestWait)) {
    if (const auto away = recover(task); !away) {
      if (away.error().kind == ErrorKind::Stopped) return;
      if (said != away.error().message) {
        said = away.error().message;
        log_error(Level::Warning, "the outbox cannot be looked through yet", away.error(),
                  {{"folder", name}});
        dispatcher_.hold(name, "waits until its outbox can be looked through: " + said);
      }
      task.folder->outbox.drop();
      --looking_;
      wait_for(wait, stop);
      ++looking_;
      continue;
    }
    {
      const MutexLock lock(mutex_);
      if (stop.stop_requested()) return;  // whoever took over has to be the one that releases
      task.done = true;
    }
    return dispatcher_.release(name);
  }
}

// Environment if the outbox cannot be looked at now; what was done until then need not be repeated.
Result<void> Recovery::recover(Task& task) {
  Folder& folder = *task.folder;
  while (!task.deliveries.empty()) {
    const DeliveryInProgress& delivery = task.deliveries.back();
    if (auto finished = finish_delivery(folder, delivery); !finished) {
      if (finished.error().kind == ErrorKind::Stopped || !is_well(folder)) return finished;
      // The outbox is well but for this one, which must hold up nobody else.
      keep_for_later(delivery, finished.error());
      task.keeps_leftovers = true;
    }
    task.deliveries.pop_back();
  }
  if (!task.keeps_leftovers) {
    if (auto removed = remove_leftovers(folder, ledger_); !removed) return removed;
  }
  act_on_sources(folder);
  return {};
}

// A file that matches is adopted; anything else is converted again with the same key.
Result<void> Recovery::finish_delivery(Folder& folder, const DeliveryInProgress& delivery) {
  auto adopted = adopt_delivery(folder, delivery);
  if (!adopted) return std::unexpected(adopted.error());
  JobEnd how;
  if (*adopted) {
    how.state = JobState::Delivered;
    how.output = std::move(**adopted);
  } else {
    how.state = JobState::Waiting;
    how.reason = "the agent stopped before it was delivered";
  }
  end(delivery, how);
  return {};
}

// Its job goes on as one whose result could not be published in this run.
void Recovery::keep_for_later(const DeliveryInProgress& delivery, const Error& why) {
  kept_.keep(delivery.job.id, as_kept_result(delivery));
  JobEnd how;
  how.state = JobState::Waiting;
  how.kind = why.kind;
  how.reason = printable(why.message);
  how.result_kept = true;
  end(delivery, how);
}

void Recovery::end(const DeliveryInProgress& delivery, const JobEnd& how) {
  const auto summary = ledger_.finish(delivery.job.id, 0, how, clock_.wall_now());
  if (!summary) log_error(Level::Error, "cannot record a recovered delivery", summary.error());
}

void Recovery::act_on_sources(Folder& folder) {
  const auto pending = ledger_.pending_source_actions();
  if (!pending) {
    log_error(Level::Error, "cannot read the pending source actions", pending.error());
    return;
  }
  for (const SourceSummary& summary : *pending) {
    if (summary.candidate.folder != folder.settings.name) continue;
    finish_interrupted_action(folder, summary);
    act_(folder, summary);
  }
}

}  // namespace millrace
