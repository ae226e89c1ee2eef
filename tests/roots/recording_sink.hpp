// Remembers what a root says.
#pragma once

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/watch/root.hpp"
#include "platform/base/mutex.hpp"

namespace millrace::test {

class RecordingSink final : public RootSink {
 public:
  void observed(std::vector<Observation> seen) override {
    MutexLock lock(mutex_);
    largest_ = std::max(largest_, seen.size());
    for (auto& one : seen) {
      ++times_[one.name];
      last_[one.name] = one;
    }
  }
  void probed(std::vector<ProbeAnswer> answers) override {
    MutexLock lock(mutex_);
    for (auto& answer : answers) answers_[answer.name] = answer;
  }
  void whole(std::size_t, std::vector<Candidate>) override {}
  void refused(std::size_t, std::vector<Refused> names) override {
    MutexLock lock(mutex_);
    for (auto& one : names) {
      refused_[one.name] = one.reason;
      ++refusals_;
    }
  }
  void left_in_cloud(std::size_t, const LeftInCloud& files) override {
    MutexLock lock(mutex_);
    left_in_cloud_.push_back(files);
  }
  void scan_finished(const ScanReport& report) override {
    MutexLock lock(mutex_);
    reports_.push_back(report);
  }
  void health_changed(std::size_t, const RootHealth& health) override {
    MutexLock lock(mutex_);
    states_.push_back(health.state);
  }
  void watched_up_to(std::size_t, const std::string& position) override {
    MutexLock lock(mutex_);
    positions_.push_back(position);
  }
  std::vector<bool> known(std::size_t, const std::vector<SeenVersion>& seen) override {
    MutexLock lock(mutex_);
    std::vector<bool> answers;
    for (const auto& one : seen) answers.push_back(known_names_.contains(one.name));
    return answers;
  }
  bool has_room(std::size_t) override { return room; }

  bool saw(const Name& name) const {
    MutexLock lock(mutex_);
    const auto it = last_.find(name);
    return it != last_.end() && !it->second.gone;
  }
  bool saw_gone(const Name& name) const {
    MutexLock lock(mutex_);
    const auto it = last_.find(name);
    return it != last_.end() && it->second.gone;
  }
  Observation last(const Name& name) const {
    MutexLock lock(mutex_);
    const auto it = last_.find(name);
    return it == last_.end() ? Observation{} : it->second;
  }
  int times(const Name& name) const {
    MutexLock lock(mutex_);
    const auto it = times_.find(name);
    return it == times_.end() ? 0 : it->second;
  }
  std::size_t count() const {
    MutexLock lock(mutex_);
    return last_.size();
  }
  std::size_t gone_count() const {
    MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const auto& [name, seen] : last_) count += seen.gone ? 1 : 0;
    return count;
  }
  std::vector<ScanReport> reports() const {
    MutexLock lock(mutex_);
    return reports_;
  }
  std::size_t whole_scans() const {
    MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const auto& report : reports_) count += report.below.empty() ? 1 : 0;
    return count;
  }
  std::optional<ProbeAnswer> answer(const Name& name) const {
    MutexLock lock(mutex_);
    const auto it = answers_.find(name);
    if (it == answers_.end()) return std::nullopt;
    return it->second;
  }
  std::string refusal(const Name& name) const {
    MutexLock lock(mutex_);
    const auto it = refused_.find(name);
    return it == refused_.end() ? "" : it->second;
  }
  std::vector<LeftInCloud> cloud_warnings() const {
    MutexLock lock(mutex_);
    return left_in_cloud_;
  }
  std::vector<std::string> positions() const {
    MutexLock lock(mutex_);
    return positions_;
  }
  int refusals() const {
    MutexLock lock(mutex_);
    return refusals_;
  }
  std::size_t largest() const {
    MutexLock lock(mutex_);
    return largest_;
  }
  void know(const Name& name) {
    MutexLock lock(mutex_);
    known_names_.insert(name);
  }

  std::atomic<bool> room{true};

 private:
  mutable Mutex mutex_;
  std::map<Name, Observation> last_ GUARDED_BY(mutex_);
  std::map<Name, int> times_ GUARDED_BY(mutex_);
  std::map<Name, ProbeAnswer> answers_ GUARDED_BY(mutex_);
  std::map<Name, std::string> refused_ GUARDED_BY(mutex_);
  std::vector<LeftInCloud> left_in_cloud_ GUARDED_BY(mutex_);
  std::set<Name> known_names_ GUARDED_BY(mutex_);
  std::vector<ScanReport> reports_ GUARDED_BY(mutex_);
  std::vector<RootState> states_ GUARDED_BY(mutex_);
  std::vector<std::string> positions_ GUARDED_BY(mutex_);
  std::size_t largest_ GUARDED_BY(mutex_) = 0;
  int refusals_ GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::test
