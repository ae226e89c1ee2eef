// The window of claimed jobs in memory, between the ledger and the workers. Single-threaded; the
// pipeline's dispatcher holds the lock.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/job/job.hpp"

namespace millrace {

// What the caller says to a job that is offered to him.
enum class Admission {
  Take,
  SkipJob,        // not this one now (its key is busy)
  SkipConverter,  // none that goes through this converter (its gate is closed)
  SkipFolder,     // none of this folder (paused, its share hangs)
};

// Round robin over folders; within a folder one fresh job, then one deferred one; within a lane
// oldest first. A lane keeps one line per converter, so that a refusal stops one line only, and a
// pick looks at no more than kMostLooks jobs of a line: past refused jobs it goes on next time.
class FairQueue {
 public:
  static constexpr std::size_t kMostLooks = 16;

  explicit FairQueue(std::size_t window_per_folder = 256);  // of each lane
  ~FairQueue();

  void add_folder(const std::string& folder);
  void remove_folder(const std::string& folder);  // returns nothing: call take_all first
  void push(Job job);                             // adds its folder if need be; never refuses
  // A blocked folder (paused, its root stalled, its outbox full) is passed over.
  void block(const std::string& folder);
  void unblock(const std::string& folder);
  // The next job of an open folder that `admits` takes; it is taken out. `admits` is asked once per
  // converter and pick when it says SkipConverter.
  std::optional<Job> next(const std::function<Admission(const Job&)>& admits);
  // The same with true for Take and false for SkipJob.
  std::optional<Job> next(const std::function<bool(const Job&)>& admits);
  // How many more jobs of this lane the window has room for.
  std::size_t room(const std::string& folder, bool deferred) const;
  std::size_t size(const std::string& folder) const;
  std::size_t size() const;
  std::vector<Job> take_all(const std::string& folder);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
