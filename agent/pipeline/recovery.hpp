// What an earlier run left unfinished: deliveries, temporary files, sources to be moved or deleted.
// One thread a folder, since any share may hang; a folder's jobs wait until its own is done.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/dispatcher.hpp"
#include "agent/pipeline/folder.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

class Recovery {
 public:
  // Does what the folder's settings say with a source whose targets are all final.
  using ActOnSource = std::function<void(const Folder&, const SourceSummary&)>;

  Recovery(Ledger& ledger, Dispatcher& dispatcher, const Clock& clock, ActOnSource act);

  void begin(const std::vector<std::shared_ptr<Folder>>& folders);  // once; does not block
  void wait(Duration at_most) const;
  bool done() const { return folders_left_ == 0; }

 private:
  void recover(Folder& folder, std::vector<DeliveryInProgress> deliveries);
  void finish_delivery(Folder* folder, DeliveryInProgress& delivery);
  void act_on_sources(Folder& folder);

  Ledger& ledger_;
  Dispatcher& dispatcher_;
  const Clock& clock_;
  const ActOnSource act_;
  std::atomic<int> folders_left_{0};
  std::vector<std::jthread> threads_;
};

}  // namespace millrace
