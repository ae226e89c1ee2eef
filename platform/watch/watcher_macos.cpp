// FSEvents: the thin shell around the C interface. A queue of the system hands events over; what
// they mean is found on the owner's thread (FsEventReader).
#include <fcntl.h>
#include <sys/param.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/base/descriptor_posix.hpp"
#include "platform/base/mutex.hpp"
#include "platform/watch/fs_event_reader.hpp"
#include "platform/watch/fs_events_macos.hpp"
#include "platform/watch/root_identity.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

constexpr double kLatency = 0.05;  // seconds in which the system puts events together
// The system tells of a moved root; this finds what it does not tell, such as a volume laid over
// it.
constexpr auto kIdentityEvery = std::chrono::seconds{5};
constexpr std::size_t kMostRaw = 65536;

struct RawEvent {
  std::uint32_t flags;
  std::string path;
  std::uint64_t id;
};

class FsEventsWatcher final : public Watcher {
 public:
  explicit FsEventsWatcher(FsEventReader reader) : reader_(std::move(reader)) {}

  ~FsEventsWatcher() override {
    if (stream_ != nullptr) {
      // On the queue itself: no callback runs at that moment, and none comes after it.
      dispatch_sync_f(queue_, stream_, [](void* stream) {
        auto* ours = static_cast<FSEventStreamRef>(stream);
        FSEventStreamStop(ours);
        FSEventStreamInvalidate(ours);
        FSEventStreamRelease(ours);
      });
    }
    if (queue_ != nullptr) dispatch_release(queue_);
  }

  FsEventsWatcher(const FsEventsWatcher&) = delete;
  FsEventsWatcher& operator=(const FsEventsWatcher&) = delete;

  Result<void> begin(const std::string& system_path) {
    next_identity_check_ = std::chrono::steady_clock::now() + kIdentityEvery;
    queue_ = dispatch_queue_create("millrace.watch", nullptr);
    FSEventStreamContext context{};
    context.info = this;
    const auto path = CFStringCreateWithCString(nullptr, system_path.c_str(), fs_events::kUtf8);
    if (queue_ == nullptr || path == nullptr) return cannot_watch();
    const void* paths[] = {path};
    const auto list = CFArrayCreate(nullptr, paths, 1, kCFTypeArrayCallBacks);
    stream_ = FSEventStreamCreate(
        nullptr, heard, &context, list, reader_.begins_after().value_or(fs_events::kSinceNow),
        kLatency, fs_events::kNoDefer | fs_events::kWatchRoot | fs_events::kFileEvents);
    CFRelease(list);
    CFRelease(path);
    if (stream_ == nullptr) return cannot_watch();
    FSEventStreamSetDispatchQueue(stream_, queue_);
    if (FSEventStreamStart(stream_) == 0) return cannot_watch();
    return {};
  }

  void wait(TimePoint deadline, std::vector<WatchEvent>& events) override {
    bool overflowed = false;
    for (const RawEvent& one : take_raw(deadline, overflowed))
      reader_.take(one.flags, one.path, one.id);
    if (overflowed) reader_.lose("more events at once than fit");
    const TimePoint now = std::chrono::steady_clock::now();
    if (now >= next_identity_check_) {
      next_identity_check_ = now + kIdentityEvery;
      reader_.check_root();
    }
    reader_.hand_out(events);
  }

  void wake() override {
    {
      const MutexLock lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  std::string describe() const override { return "FSEvents"; }

  std::string position() const override { return reader_.position(); }

 private:
  // An error that asks for polling.
  static std::unexpected<Error> cannot_watch() {
    return fail(ErrorKind::Environment, "FSEvents does not watch this folder", ENOTSUP);
  }

  static void heard(ConstFSEventStreamRef, void* info, std::size_t count, void* paths,
                    const std::uint32_t* flags, const std::uint64_t* ids) {
    auto& self = *static_cast<FsEventsWatcher*>(info);
    auto* const* texts = static_cast<char**>(paths);
    {
      const MutexLock lock(self.mutex_);
      for (std::size_t i = 0; i < count; ++i) self.keep({flags[i], texts[i], ids[i]});
    }
    self.changed_.notify_one();
  }

  void keep(RawEvent event) REQUIRES(mutex_) {
    if (raw_.size() < kMostRaw) return raw_.push_back(std::move(event));
    overflowed_ = true;
  }

  std::vector<RawEvent> take_raw(TimePoint deadline, bool& overflowed) {
    if (reader_.has_events() || reader_.ended()) return {};
    const TimePoint until = std::min(deadline, next_identity_check_);
    MutexLock lock(mutex_);
    while (raw_.empty() && !woken_ && std::chrono::steady_clock::now() < until) {
      changed_.wait_until(lock, until);
    }
    woken_ = false;
    overflowed = std::exchange(overflowed_, false);
    return std::exchange(raw_, {});
  }

  // Of the owner's thread, or fixed after begin().
  FsEventReader reader_;
  TimePoint next_identity_check_{};
  dispatch_queue_t queue_ = nullptr;
  FSEventStreamRef stream_ = nullptr;

  Mutex mutex_;
  CondVar changed_;
  std::vector<RawEvent> raw_ GUARDED_BY(mutex_);
  bool overflowed_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
};

// The path as events have it: links resolved, and as its names are written on the volume.
std::string system_path_of(const std::filesystem::path& root) {
  const Descriptor folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::array<char, MAXPATHLEN> text{};
  if (!folder || ::fcntl(folder.get(), F_GETPATH, text.data()) != 0) return root.string();
  return text.data();
}

// Nothing if the volume keeps no history.
std::optional<FsEventPosition> history_now(const RootIdentity& root) {
  const auto uuid = FSEventsCopyUUIDForDevice(static_cast<dev_t>(root.device));
  if (uuid == nullptr) return std::nullopt;
  FsEventPosition now{std::to_array(CFUUIDGetUUIDBytes(uuid).bytes), FSEventsGetCurrentEventId()};
  CFRelease(uuid);
  return now;
}

}  // namespace

bool asks_for_polling(const Error& error) {
  return error.os_code == ENOTSUP || error.os_code == EMFILE || error.os_code == ENFILE;
}

Result<std::unique_ptr<Watcher>> open_native_watcher(const std::filesystem::path& root,
                                                     const WatchOptions& options) {
  const auto identity = root_identity(root);
  if (!identity) return fail(ErrorKind::Environment, "the folder is not there");
  const std::string system_path = system_path_of(root);
  auto watcher = std::make_unique<FsEventsWatcher>(
      FsEventReader(root, system_path, options, *identity, history_now(*identity)));
  if (auto begun = watcher->begin(system_path); !begun) return std::unexpected(begun.error());
  return watcher;
}

}  // namespace millrace
