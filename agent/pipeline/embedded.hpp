// The embedded conversion API: `millrace serve` as a child on a private socket, started when a
// folder needs it, restarted when it dies, gone when we are gone.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

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
  // Environment if the child cannot be started at all. Returns once it answers, or after 10 s.
  static Result<std::unique_ptr<EmbeddedConverter>> start(EmbeddedOptions options);
  ~EmbeddedConverter();  // kills the child and empties its scratch folder

  const std::string& socket() const { return socket_; }

 private:
  EmbeddedConverter(EmbeddedOptions options, std::unique_ptr<Launcher> launcher);
  Result<void> spawn(const std::stop_token& stop);
  void supervise(std::stop_token stop);

  const EmbeddedOptions options_;
  const std::string socket_;
  std::unique_ptr<Launcher> launcher_;  // outlives the child
  Mutex mutex_;
  std::unique_ptr<Child> child_ GUARDED_BY(mutex_);
  std::jthread supervisor_;
};

}  // namespace millrace
