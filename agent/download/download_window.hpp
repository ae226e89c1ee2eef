// What of a list is in memory: the lines that wait to be fetched, and a gate for each host.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/download/file_ledger.hpp"
#include "agent/download/line_claims.hpp"
#include "agent/download/list_item.hpp"
#include "agent/queue/gate.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

struct DownloadTask {
  ListItem item;
  FileRecord record;
  std::string host;  // "host:443"
  int attempts = 0;  // that counted
  std::optional<TimePoint> first_tried;
  std::string bad_sha256;  // of the last answer that had not the bytes of the list
  std::string reason;      // why it waits; empty before its first attempt
  LineClaims::Claim claim;
};

struct WindowRules {
  int workers = 16;                       // requests in flight to one host that has HTTP/2
  int max_connections = 4;                // to one host; without HTTP/2 also its requests in flight
  std::optional<double> rate_per_second;  // requests to one host
  std::function<double()> random;         // in [0, 1); one thread at a time
};

// Single-threaded, pure.
class DownloadWindow {
 public:
  static constexpr std::size_t kMostReady = 256;
  static constexpr std::size_t kMostLater = 10'000;

  explicit DownloadWindow(WindowRules rules) : rules_(std::move(rules)) {}

  // May one more line be read from the list?
  bool has_room() const { return ready_.size() < kMostReady && later_.size() < kMostLater; }
  // Is there room for many? The reader that waits is woken for these, not for each.
  bool has_much_room() const {
    return ready_.size() <= kMostReady / 2 && later_.size() < kMostLater;
  }
  bool empty() const { return ready_.empty() && later_.empty(); }
  std::size_t size() const { return ready_.size() + later_.size(); }
  void add(DownloadTask task) { ready_.push_back(std::move(task)); }
  void add_later(DownloadTask task, TimePoint due) { later_.emplace(due, std::move(task)); }

  // The next task whose host may be asked by now; its request counts as started.
  std::optional<DownloadTask> next(TimePoint now);
  // When next() may give one by time alone; nothing if only an answer can help.
  std::optional<TimePoint> next_due() const;
  // One more request to a host that may be asked by now; abandoned() is its end.
  bool take_room(const std::string& host, TimePoint now);
  // The end of a request; `error` null for success.
  void answered(const std::string& host, const Error* error, Duration took, TimePoint now);
  void abandoned(const std::string& host);        // the request was stopped by us
  bool set_multiplexed(const std::string& host);  // false: that was known
  void each(const std::function<void(const DownloadTask&)>& visit) const;

 private:
  struct Host {
    std::unique_ptr<Gate> gate;
    bool multiplexed = false;
    int in_flight = 0;
  };

  Host& host(const std::string& name);
  GateRules gate_rules(bool multiplexed) const;
  void take_due(TimePoint now);

  const WindowRules rules_;
  std::map<std::string, Host> hosts_;
  std::deque<DownloadTask> ready_;
  std::multimap<TimePoint, DownloadTask> later_;  // by when they are due
};

}  // namespace millrace
