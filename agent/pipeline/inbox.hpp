// The inbox of a folder: where it is seen, and where its candidates are read.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "agent/job/source.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/watch/root.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

class Buckets;

struct Inbox {
  std::unique_ptr<Source> source;
  std::shared_ptr<Root> root;  // not started
};

struct InboxTools {  // they outlive the inbox
  Buckets& buckets;
  Ledger& ledger;
  const Clock& clock;
  RootSink& sink;
};

// The folder or the bucket that settings name. `index` is the root's; `owner` goes into the names
// of temporaries. Fails as Buckets does; of a folder nothing is asked yet.
Result<Inbox> open_inbox(const InboxTools& tools, const FolderSettings& folder,
                         Duration rescan_every, std::size_t index, const std::string& owner);

}  // namespace millrace
