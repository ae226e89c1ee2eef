#include "agent/pipeline/recovery.hpp"

#include <map>
#include <string>
#include <utility>

#include "agent/pipeline/source_actions.hpp"
#include "agent/report/log.hpp"
#include "platform/base/thread.hpp"

namespace millrace {

Recovery::Recovery(Ledger& ledger, Dispatcher& dispatcher, const Clock& clock, ActOnSource act)
    : ledger_(ledger), dispatcher_(dispatcher), clock_(clock), act_(std::move(act)) {}

void Recovery::begin(const std::vector<std::shared_ptr<Folder>>& folders) {
  auto interrupted = ledger_.interrupted_deliveries();
  if (!interrupted) {
    log_error(Level::Error, "cannot read the interrupted deliveries", interrupted.error());
    interrupted.emplace();
  }
  std::map<std::string, std::vector<DeliveryInProgress>> deliveries;
  for (DeliveryInProgress& one : *interrupted) {
    deliveries[one.job.candidate.folder].push_back(std::move(one));
  }
  for (const auto& folder : folders) {
    dispatcher_.hold(folder->settings.name, "what an earlier run left is being looked at");
  }
  folders_left_ = static_cast<int>(folders.size());
  for (const auto& folder : folders) {
    auto own = deliveries.extract(folder->settings.name);
    auto rows = own ? std::move(own.mapped()) : std::vector<DeliveryInProgress>();
    threads_.push_back(start_thread(
        "recovery", [this, folder, rows = std::move(rows)](const std::stop_token&) mutable {
          recover(*folder, std::move(rows));
          dispatcher_.release(folder->settings.name);
          --folders_left_;
        }));
  }
  for (auto& [name, rows] : deliveries) {
    for (DeliveryInProgress& one : rows) finish_delivery(nullptr, one);
  }
}

void Recovery::wait(Duration at_most) const {
  const TimePoint end = std::chrono::steady_clock::now() + at_most;
  while (!done() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

void Recovery::recover(Folder& folder, std::vector<DeliveryInProgress> deliveries) {
  for (DeliveryInProgress& one : deliveries) finish_delivery(&folder, one);
  remove_leftovers(folder, ledger_);
  act_on_sources(folder);
}

// A file that matches is adopted; anything else is converted again with the same key.
void Recovery::finish_delivery(Folder* folder, DeliveryInProgress& delivery) {
  JobEnd end;
  end.state = JobState::Waiting;
  end.reason = "the agent stopped while it was delivered";
  if (folder != nullptr) {
    if (auto adopted = adopt_delivery(*folder, delivery)) {
      end.state = JobState::Delivered;
      end.reason.clear();
      end.output = std::move(*adopted);
    }
  }
  const auto summary = ledger_.finish(delivery.job.id, 0, end, clock_.wall_now());
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
    if (auto done = finish_interrupted_action(folder, summary); !done) {
      log_error(Level::Warning, "cannot end what was done with a source", done.error(),
                {{"folder", folder.settings.name}, {"file", summary.candidate.name}});
    }
    act_(folder, summary);
  }
}

}  // namespace millrace
