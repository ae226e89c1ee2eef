#include <algorithm>
#include <system_error>

#include "platform/base/mutex.hpp"
#include "platform/watch/root_identity.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// 16 bytes a file and no names: a million files fit into 16 MB, twice that during a look.
struct Seen {
  std::uint64_t name;
  std::uint64_t stamp;
  bool operator<(const Seen& other) const { return name < other.name; }
};

// A look takes at most one part in fifty of the time.
constexpr int kRestPerLook = 50;

class PollingWatcher final : public Watcher {
 public:
  PollingWatcher(fs::path root, const WatchOptions& options, RootIdentity identity)
      : root_(std::move(root)), options_(options), identity_(identity) {}

  Result<void> take_baseline() {
    auto looked = look(nullptr);
    if (!looked) return std::unexpected(looked.error());
    next_look_ = std::chrono::steady_clock::now() + options_.poll_every;
    return {};
  }

  void wait(TimePoint deadline, std::vector<WatchEvent>& events) override {
    if (ended_) return;
    {
      MutexLock lock(mutex_);
      const TimePoint until = std::min(deadline, next_look_);
      while (!woken_ && std::chrono::steady_clock::now() < until) {
        changed_.wait_until(lock, until);
      }
      woken_ = false;
    }
    const TimePoint start = std::chrono::steady_clock::now();
    if (start < next_look_) return;
    if (auto looked = look(&events); !looked) {
      ended_ = true;
      events.emplace_back(Ended{looked.error()});
      return;
    }
    const TimePoint end = std::chrono::steady_clock::now();
    next_look_ = end + std::max<Duration>(options_.poll_every, (end - start) * kRestPerLook);
  }

  void wake() override {
    {
      MutexLock lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  std::string describe() const override {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.poll_every);
    const bool whole = ms.count() % 1000 == 0;
    return "polling every " +
           (whole ? std::to_string(ms.count() / 1000) + " s" : std::to_string(ms.count()) + " ms");
  }

 private:
  struct Look {
    std::vector<Seen> seen;
    std::size_t reported = 0;
    std::vector<std::pair<std::string, int>> directories;  // still to be listed, with their depth
  };

  // Lists everything; with `events`, reports what differs from the last look. On failure the last
  // look stays what is compared with.
  Result<void> look(std::vector<WatchEvent>* events) {
    Look now;
    now.seen.reserve(seen_.size() + seen_.size() / 16);
    const std::error_code error = list("", 0, now, events);
    while (!error && !now.directories.empty()) {
      const auto [directory, depth] = std::move(now.directories.back());
      now.directories.pop_back();
      // A directory that went away or cannot be read is no loss of the root.
      static_cast<void>(list(directory, depth, now, events));
    }
    if (error) {
      return fail(ErrorKind::Environment, "cannot list the folder: " + error.message(),
                  error.value());
    }
    if (root_identity(root_) != identity_) {
      return fail(ErrorKind::Environment, "the folder is gone or another one is in its place");
    }
    std::sort(now.seen.begin(), now.seen.end());
    if (events != nullptr) report_rest(now, *events);
    seen_ = std::move(now.seen);
    return {};
  }

  std::error_code list(const std::string& directory, int depth, Look& now,
                       std::vector<WatchEvent>* events) const {
    return poll_directory(root_, directory, [&](PolledEntry entry) {
      if (options_.still_alive) options_.still_alive();
      std::string name = directory.empty() ? std::move(entry.leaf) : directory + "/" + entry.leaf;
      if (entry.stamp) return note(std::move(name), *entry.stamp, now, events);
      if (entry.is_directory && options_.recursive && depth < kDeepestFolder)
        now.directories.emplace_back(std::move(name), depth + 1);
    });
  }

  void note(std::string name, std::uint64_t stamp, Look& now,
            std::vector<WatchEvent>* events) const {
    const Seen one{std::hash<std::string>{}(name), stamp};
    now.seen.push_back(one);
    if (events == nullptr || !differs(one)) return;
    // More than fits is found by the rescan that Lost asks for.
    if (++now.reported < kMostEvents)
      events->emplace_back(Touched{std::move(name), Change::Written});
  }

  bool differs(const Seen& one) const {
    const auto it = std::lower_bound(seen_.begin(), seen_.end(), one);
    return it == seen_.end() || it->name != one.name || it->stamp != one.stamp;
  }

  void report_rest(const Look& now, std::vector<WatchEvent>& events) const {
    if (now.reported >= kMostEvents) {
      events.emplace_back(Lost{"", "more changes at once than fit"});
    } else if (!std::includes(now.seen.begin(), now.seen.end(), seen_.begin(), seen_.end())) {
      events.emplace_back(Touched{"", Change::Removed});
    }
  }

  const fs::path root_;
  const WatchOptions options_;
  const RootIdentity identity_;

  std::vector<Seen> seen_;  // sorted by name; used by the owner's thread only, as are the next two
  TimePoint next_look_{};
  bool ended_ = false;

  Mutex mutex_;
  CondVar changed_;
  bool woken_ GUARDED_BY(mutex_) = false;
};

}  // namespace

Result<std::unique_ptr<Watcher>> open_polling_watcher(const fs::path& root,
                                                      const WatchOptions& options) {
  const auto identity = root_identity(root);
  if (!identity) return fail(ErrorKind::Environment, "the folder is not there");
  auto watcher = std::make_unique<PollingWatcher>(root, options, *identity);
  if (auto baseline = watcher->take_baseline(); !baseline) {
    return std::unexpected(baseline.error());
  }
  return watcher;
}

}  // namespace millrace
