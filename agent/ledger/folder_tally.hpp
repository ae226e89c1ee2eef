// How many jobs of each folder are in each state, kept in step with the rows.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "agent/job/job.hpp"

namespace millrace {

inline constexpr std::array kAllJobStates{
    JobState::Waiting, JobState::Converting, JobState::Delivering, JobState::Delivered,
    JobState::Skipped, JobState::Failed,     JobState::Cancelled};

struct StateTally {
  std::int64_t count = 0;
  bool changed = false;  // since it was written last
};

// Values only; one thread.
class FolderTally {
 public:
  using States = std::array<StateTally, kAllJobStates.size()>;

  bool loaded() const { return loaded_; }
  void loaded(bool yes) {
    loaded_ = yes;
    if (!yes) folders_.clear();
  }
  void set(std::string_view folder, JobState state, std::int64_t count) {
    at(folder, state).count = count;
  }
  void add(std::string_view folder, JobState state, std::int64_t count) {
    StateTally& one = at(folder, state);
    one.count += count;
    one.changed = true;
  }
  void move(std::string_view folder, JobState from, JobState to) {
    if (from == to) return;
    add(folder, from, -1);
    add(folder, to, 1);
  }
  std::map<std::string, States, std::less<>>& folders() { return folders_; }

 private:
  StateTally& at(std::string_view folder, JobState state) {
    auto found = folders_.find(folder);
    if (found == folders_.end()) found = folders_.emplace(std::string(folder), States{}).first;
    return found->second[static_cast<std::size_t>(state)];
  }

  std::map<std::string, States, std::less<>> folders_;
  bool loaded_ = false;
};

}  // namespace millrace
