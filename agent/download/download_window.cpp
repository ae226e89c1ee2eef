#include "agent/download/download_window.hpp"

#include <set>
#include <utility>

namespace millrace {
namespace {

// Hosts that are remembered while nothing of theirs is in flight.
constexpr std::size_t kMostHosts = 1000;

}  // namespace

GateRules DownloadWindow::gate_rules(bool multiplexed) const {
  GateRules rules;
  rules.start_concurrency = multiplexed ? rules_.workers : rules_.max_connections;
  rules.only_overload_lowers = true;
  rules.rate_per_second = rules_.rate_per_second;
  return rules;
}

DownloadWindow::Host& DownloadWindow::host(const std::string& name) {
  if (const auto known = hosts_.find(name); known != hosts_.end()) return known->second;
  if (hosts_.size() >= kMostHosts)
    std::erase_if(hosts_, [](const auto& entry) { return entry.second.in_flight == 0; });
  Host& made = hosts_[name];
  made.gate = std::make_unique<Gate>(gate_rules(false), rules_.random);
  return made;
}

void DownloadWindow::take_due(TimePoint now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    ready_.push_back(std::move(later_.begin()->second));
    later_.erase(later_.begin());
  }
}

std::optional<DownloadTask> DownloadWindow::next(TimePoint now) {
  take_due(now);
  std::set<std::string> busy;
  for (auto at = ready_.begin(); at != ready_.end();) {
    if (busy.contains(at->host)) {
      ++at;
      continue;
    }
    Host& host = this->host(at->host);
    if (host.gate->open(now)) {
      DownloadTask task = std::move(*at);
      ready_.erase(at);
      host.gate->started(now);
      ++host.in_flight;
      return task;
    }
    // A host that time alone opens again must not fill the window before the others.
    if (const auto opens = host.gate->opens_at(now); opens && *opens > now) {
      later_.emplace(*opens, std::move(*at));
      at = ready_.erase(at);
    } else {
      busy.insert(at->host);
      ++at;
    }
  }
  return std::nullopt;
}

bool DownloadWindow::take_room(const std::string& name, TimePoint now) {
  Host& host = this->host(name);
  if (!host.gate->open(now)) return false;
  host.gate->started(now);
  ++host.in_flight;
  return true;
}

std::optional<TimePoint> DownloadWindow::next_due() const {
  if (later_.empty()) return std::nullopt;
  return later_.begin()->first;
}

void DownloadWindow::answered(const std::string& name, const Error* error, Duration took,
                              TimePoint now) {
  Host& host = this->host(name);
  --host.in_flight;
  host.gate->finished(error, {}, took, false, now);
}

void DownloadWindow::abandoned(const std::string& name) {
  Host& host = this->host(name);
  --host.in_flight;
  host.gate->abandoned();
}

bool DownloadWindow::set_multiplexed(const std::string& name) {
  Host& host = this->host(name);
  if (std::exchange(host.multiplexed, true)) return false;
  host.gate->set_rules(gate_rules(true));
  return true;
}

void DownloadWindow::each(const std::function<void(const DownloadTask&)>& visit) const {
  for (const auto& task : ready_) visit(task);
  for (const auto& [due, task] : later_) visit(task);
}

}  // namespace millrace
