// The embedded conversion API: `millrace serve` as a child on a private socket, started when a
// folder needs it, restarted when it dies or its time limit changes, gone when we are gone.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"
#include "platform/process/process.hpp"

namespace millrace {

struct EmbeddedOptions {
  std::filesystem::path program;      // our own executable
  std::filesystem::path runtime_dir;  // short and private: the socket lies here
  std::filesystem::path scratch_dir;  // on a disk, of its own: emptied in the end
};

class EmbeddedConverter {
 public:
  // Nothing runs yet. Environment if no child can ever be started.
  static Result<std::unique_ptr<EmbeddedConverter>> make(EmbeddedOptions options);
  ~EmbeddedConverter();  // kills the child and empties its scratch folder

  // Has a child run that spends at most `time_limit` on one file. The first call blocks until it
  // answers, for 60 s at most: Environment if it does not. A later call with another limit returns
  // at once: the child is soon ended and started with that one, and what it converts is tried
  // again. One thread at a time.
  Result<void> run(Duration time_limit);

  const std::string& socket() const { return socket_; }

 private:
  EmbeddedConverter(EmbeddedOptions options, std::unique_ptr<Launcher> launcher);
  Result<void> spawn(const std::stop_token& stop);
  void supervise(std::stop_token stop);
  bool end_outdated_child();

  const EmbeddedOptions options_;
  const std::string socket_;
  std::unique_ptr<Launcher> launcher_;  // outlives the child
  Mutex mutex_;
  std::unique_ptr<Child> child_ GUARDED_BY(mutex_);
  Duration time_limit_ GUARDED_BY(mutex_) = {};        // asked for
  Duration child_time_limit_ GUARDED_BY(mutex_) = {};  // what the child was started with
  std::jthread supervisor_;
};

}  // namespace millrace
