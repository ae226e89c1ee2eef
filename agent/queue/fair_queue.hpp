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

// Round robin over folders; within a folder one fresh job, then one deferred one.
class FairQueue {
 public:
  explicit FairQueue(std::size_t window_per_folder = 256);
  ~FairQueue();

  void add_folder(const std::string& folder);
  void remove_folder(const std::string& folder);  // returns nothing: call take_all first
  void push(Job job);
  // The next job whose folder is not blocked and for which `admits` holds; it is taken out.
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
