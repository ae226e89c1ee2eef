// A bucket as an inbox: listed now and then by a thread of its own.
//
//   Opening --> Scanning --done--> Watching --due, wished--> Scanning
//                  |                  ^
//                  +--failed--> Offline: listed again and again, until that is done
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/deliver/missing_results.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/watch/name_filter.hpp"
#include "agent/watch/root.hpp"
#include "agent/watch/root_board.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

inline constexpr Duration kBucketPoll = std::chrono::seconds{60};  // between two listings

struct BucketRootSettings {
  std::size_t index = 0;  // goes into everything that the sink hears
  std::string folder;     // name of the [[folder]]
  NameRules names;
  Duration poll = kBucketPoll;
  WalkRules walk;  // of no use without a listing of results
  Duration first_retry = std::chrono::seconds{1};
  Duration longest_retry = std::chrono::seconds{60};
};

// How the store is asked; called on the root's thread. A listing lives for one scan.
struct BucketViews {
  using Wants = std::function<bool(const Name&)>;
  std::function<std::unique_ptr<SourceListing>(Wants, std::stop_token)> sources;
  // Empty: results do not go into a bucket, and each job looks for its own.
  std::function<std::unique_ptr<ResultListing>(std::stop_token)> results;
  // The version that lies there now; nothing if there is none.
  std::function<Result<std::optional<Candidate>>(const Name&, std::stop_token)> look;
};

// Every version that the ledger does not have yet is handed on, but for those of which it never had
// the name and which have their results already (MissingResults). Nothing settles: an object is
// whole as soon as it is there. What is in memory does not grow with the bucket.
class BucketRoot final : public Root {
 public:
  // The ledger, the clock and the sink must outlive the root.
  BucketRoot(BucketRootSettings settings, BucketViews views, Ledger& ledger, const Clock& clock,
             RootSink& sink);

  void start() override;
  // Answered by the version that lies there now, as one that is whole, and then as gone: there is
  // nothing to settle.
  void request_probes(std::vector<ProbeRequest> probes) override {
    board_.post_probes(std::move(probes));
    board_.wake();
  }
  void request_rescan(Haste haste) override { board_.want_rescan(haste); }
  // Where very many wait to be looked at, a listing is cheaper and costs no memory.
  void hint(const Name& name) override;
  void acknowledge(const Name&, std::string_view) override {}  // the ledger remembers
  void forget_acknowledged() override {}
  void wake() override { board_.wake(); }
  RootHealth health() const override;
  std::optional<std::string> why_not(std::string_view name) const override {
    return filter_.why_not(name);
  }
  bool is_in_cloud(const Name&) const override { return false; }
  void request_stop() override { thread_.request_stop(); }
  bool wait_stopped(TimePoint deadline) const override { return board_.wait_stopped(deadline); }

 private:
  void run(const std::stop_token& stop);
  void answer_probes(const std::stop_token& stop);
  Result<void> scan(const std::stop_token& stop);
  Result<void> hand_on_missing(SourceListing& sources, const std::stop_token& stop);
  Result<void> hand_on_new(SourceListing& sources, const std::stop_token& stop);
  Result<std::vector<Wanted>> choose(std::span<const Candidate> sources);
  Result<void> hand_on(std::vector<Candidate> versions, const std::stop_token& stop);
  void set_state(RootState state, const Error* why = nullptr);

  const BucketRootSettings settings_;
  const BucketViews views_;
  const NameFilter filter_;
  Ledger& ledger_;
  const Clock& clock_;
  RootSink& sink_;
  RootBoard board_;
  // Of the thread alone.
  RootHealth health_;
  ScanReport report_;
  std::uint64_t known_ = 0;  // of this scan: versions that the ledger has
  Duration retry_{0};
  std::jthread thread_;  // last: it is joined before anything that it uses goes
};

}  // namespace millrace
