// What an earlier run left unfinished: deliveries, temporary files, sources to be moved or deleted.
// One thread a folder, since any share may hang; a folder's jobs wait until its own is done. While
// the outbox is away nobody knows what lies in it already: the folder waits until it is back.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/dispatcher.hpp"
#include "agent/pipeline/folder.hpp"
#include "agent/pipeline/kept_results.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"

namespace millrace {

class Recovery {
 public:
  // Does what the folder's settings say with a source whose targets are all final.
  using ActOnSource = std::function<void(const Folder&, const SourceSummary&)>;

  Recovery(Ledger& ledger, Dispatcher& dispatcher, KeptResults& kept, const Clock& clock,
           ActOnSource act);

  void begin(const std::vector<std::shared_ptr<Folder>>& folders);  // once; does not block
  // For a reload. Nothing more is done for the folder of this name; what is left of it goes to the
  // Folder that takes its place, before any job of that is handed out.
  void abandon(const std::string& folder);
  void take_over(const std::shared_ptr<Folder>& folder);

  // Each folder is done, or waits for an outbox that is away.
  bool looked() const { return looking_ == 0; }
  void wait_looked(Duration at_most) const;
  // Ends the waits for an outbox. True if every thread came back in time.
  bool stop(Duration at_most);

 private:
  struct Task {
    std::shared_ptr<Folder> folder;
    std::vector<DeliveryInProgress> deliveries;  // of its thread
    bool keeps_leftovers = false;                // some belong to results that wait; of its thread
    bool done = false;                           // under mutex_
    std::jthread thread;
  };

  void start(std::shared_ptr<Task> task, std::shared_ptr<Task> before);
  void run(Task& task, const std::stop_token& stop);
  Result<void> recover(Task& task);
  Result<void> finish_delivery(Folder& folder, const DeliveryInProgress& delivery);
  void keep_for_later(const DeliveryInProgress& delivery, const Error& why);
  void end(const DeliveryInProgress& delivery, const JobEnd& how);
  void act_on_sources(Folder& folder);

  Ledger& ledger_;
  Dispatcher& dispatcher_;
  KeptResults& kept_;
  const Clock& clock_;
  const ActOnSource act_;
  std::atomic<int> looking_{0};  // threads that neither wait nor have ended
  std::atomic<int> threads_{0};  // that have not ended
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Task>> tasks_ GUARDED_BY(mutex_);  // by folder
};

}  // namespace millrace
