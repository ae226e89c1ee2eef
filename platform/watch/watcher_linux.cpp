// inotify(7). One watch a directory; the kernel says nothing about directories that appear beneath
// one, so each is watched as soon as it is heard of and then listed: what was put into it before
// the watch existed is reported from the listing.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <limits>
#include <system_error>

#include "platform/base/descriptor_posix.hpp"
#include "platform/watch/root_identity.hpp"
#include "platform/watch/watch_table.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

constexpr std::uint32_t kMask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM |
                                IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                                IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr std::uint32_t kEndsRoot = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
// A mount over the root or a renamed parent makes no event: the path is compared this often.
constexpr auto kIdentityEvery = std::chrono::seconds{5};
// After an overflow all directories are walked; at most one part in fifty of the time goes there.
constexpr int kRestPerWalk = 50;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Error limit_error(int code) {
  const char* sysctl = code == EMFILE ? "fs.inotify.max_user_instances (or the limit of open files)"
                                      : "fs.inotify.max_user_watches";
  return Error{ErrorKind::Environment,
               std::string("the system's watch limit is reached; raise ") + sysctl,
               code,
               {}};
}

Error system_error(const char* what, int code) {
  return Error{ErrorKind::Environment,
               std::string(what) + ": " + std::generic_category().message(code),
               code,
               {}};
}

class InotifyWatcher final : public Watcher {
 public:
  InotifyWatcher(std::filesystem::path root, const WatchOptions& options, RootIdentity identity,
                 Descriptor inotify, Descriptor wake)
      : root_(std::move(root)),
        options_(options),
        identity_(identity),
        inotify_(std::move(inotify)),
        wake_(std::move(wake)) {}

  // Adds the first watches; what is there already is not reported.
  Result<void> begin() {
    next_identity_check_ = std::chrono::steady_clock::now() + kIdentityEvery;
    return watch_all();
  }

  void wait(TimePoint deadline, std::vector<WatchEvent>& events) override {
    if (ended_) return;
    if (pending_.empty()) wait_for_input(deadline);
    drain();
    const TimePoint now = std::chrono::steady_clock::now();
    if (!ended_ && now >= next_identity_check_) check_identity(now);
    if (!ended_ && resync_wanted_ && now >= next_resync_) resync(now);
    const auto count = std::min(pending_.size(), kMostEvents);
    const auto last = pending_.begin() + static_cast<std::ptrdiff_t>(count);
    events.insert(events.end(), std::make_move_iterator(pending_.begin()),
                  std::make_move_iterator(last));
    pending_.erase(pending_.begin(), last);
  }

  void wake() override {
    const std::uint64_t one = 1;
    // It fails only if the counter is full, and then a wake is on its way.
    [[maybe_unused]] const auto wrote = ::write(wake_.get(), &one, sizeof one);
  }

  std::string describe() const override { return "inotify"; }

 private:
  // What is said about the files that a newly watched directory holds already.
  enum class Report { Nothing, AsWritten, AsMoved };

  struct Walk {
    Report report;
    std::size_t reported = 0;
  };

  // -- waiting -----------------------------------------------------------------------------------

  void wait_for_input(TimePoint deadline) {
    TimePoint until = std::min(deadline, next_identity_check_);
    if (resync_wanted_) until = std::min(until, next_resync_);
    std::array<pollfd, 2> fds{{{inotify_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const auto timeout = std::clamp<std::int64_t>(left.count(), 0, 60'000);
    if (::poll(fds.data(), fds.size(), static_cast<int>(timeout)) > 0 && fds[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    }
  }

  void drain() {
    alignas(inotify_event) std::array<char, 65536> buffer;
    while (!ended_ && pending_.size() < kMostEvents) {
      const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      for (const char* at = buffer.data(); at < buffer.data() + got && !ended_;) {
        inotify_event head;
        std::memcpy(&head, at, sizeof head);
        const char* name = at + sizeof head;
        take(head, std::string_view(name, ::strnlen(name, head.len)));
        at += sizeof head + head.len;
      }
    }
  }

  // -- events ------------------------------------------------------------------------------------

  void take(const inotify_event& event, std::string_view name) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      resync_wanted_ = true;
      resync_why_ = "the queue of events overflowed";
      return;
    }
    if (event.wd == root_watch_ && (event.mask & kEndsRoot) != 0) {
      return end(
          Error{ErrorKind::Environment, "the folder was removed, renamed or unmounted", 0, {}});
    }
    if ((event.mask & IN_IGNORED) != 0) {
      // Only what is still known: a watch that was taken away on purpose is not.
      if (table_.holds(event.wd)) table_.erase(event.wd);
      return;
    }
    if (name.empty() || !table_.holds(event.wd)) return;
    if ((event.mask & IN_ISDIR) != 0) return take_directory(event, name);
    take_file(event, join(table_.path(event.wd), name));
  }

  void take_file(const inotify_event& event, std::string name) {
    const Change change = change_of(event.mask, name);
    push(Touched{std::move(name), change});
  }

  Change change_of(std::uint32_t mask, const std::string& name) const {
    if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return Change::Removed;
    if ((mask & IN_MOVED_TO) != 0) return Change::Moved;
    if ((mask & IN_CLOSE_WRITE) != 0) return Change::Closed;
    // link(2) says IN_CREATE and nothing else, ever.
    if ((mask & IN_CREATE) != 0 && has_other_links(name)) return Change::Moved;
    return Change::Written;
  }

  void take_directory(const inotify_event& event, std::string_view name) {
    const std::string path = join(table_.path(event.wd), name);
    if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
      if (const auto gone = table_.child(event.wd, name); gone && (event.mask & IN_MOVED_FROM)) {
        drop(*gone);
      }
      push(Touched{path, Change::Removed});
    } else if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
      add(event.wd, path, (event.mask & IN_MOVED_TO) != 0 ? Report::AsMoved : Report::AsWritten);
    } else if ((event.mask & IN_ATTRIB) != 0 && !table_.child(event.wd, name)) {
      // It could not be read before; perhaps it can be now.
      add(event.wd, path, Report::AsWritten);
    }
  }

  void push(Touched touched) {
    if (!pending_.empty()) {
      const auto* last = std::get_if<Touched>(&pending_.back());
      if (last != nullptr && last->change == touched.change && last->name == touched.name) return;
    }
    pending_.emplace_back(std::move(touched));
  }

  void end(Error error) {
    ended_ = true;
    pending_.emplace_back(Ended{std::move(error)});
  }

  bool has_other_links(const std::string& name) const {
    struct stat st{};
    return ::lstat((root_ / name).c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1;
  }

  static std::string join(std::string path, std::string_view name) {
    if (!path.empty()) path += '/';
    path += name;
    return path;
  }

  // -- the tree of watches -----------------------------------------------------------------------

  void check_identity(TimePoint now) {
    next_identity_check_ = now + kIdentityEvery;
    if (root_identity(root_) == identity_) return;
    end(Error{ErrorKind::Environment, "the folder is gone or another one is in its place", 0, {}});
  }

  // Directories that appeared while events were lost have no watch yet: walk first, then say so.
  void resync(TimePoint now) {
    resync_wanted_ = false;
    if (auto walked = watch_all(); !walked) return end(walked.error());
    for (const int gone : table_.not_of(generation_)) drop(gone);
    const TimePoint after = std::chrono::steady_clock::now();
    next_resync_ = after + (after - now) * kRestPerWalk;
    pending_.emplace_back(Lost{"", resync_why_});
  }

  Result<void> watch_all() {
    ++generation_;
    Descriptor root = open_root();
    if (!root) return std::unexpected(system_error("cannot open the folder", errno));
    Walk walk{Report::Nothing};
    return add_open(std::move(root), WatchTable::kNone, "", "", 0, walk);
  }

  // Watches the directory at `path`, which lies in the directory of `parent`, and reports its
  // content.
  void add(int parent, const std::string& path, Report report) {
    if (!options_.recursive) return;
    ++generation_;
    Walk walk{report};
    Descriptor directory = open_beneath(path);
    if (!directory) return;  // gone again, or not ours to read: the scan says which
    const auto slash = path.rfind('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    auto added = add_open(std::move(directory), parent, name, path, table_.depth(parent) + 1, walk);
    if (!added) return end(added.error());
    if (walk.reported > kMostEvents)
      pending_.emplace_back(Lost{path, "a folder came with its content"});
  }

  Result<void> add_open(Descriptor directory, int parent, const std::string& name,
                        const std::string& path, int depth, Walk& walk) {
    if (depth > kDeepestFolder) return {};
    // Through the descriptor, so that a link planted in the path meanwhile cannot lead elsewhere.
    const std::string through = "/proc/self/fd/" + std::to_string(directory.get());
    const int watch = ::inotify_add_watch(inotify_.get(), through.c_str(), kMask);
    if (watch < 0) {
      const int code = errno;
      if (code == ENOSPC || code == ENOMEM) return std::unexpected(limit_error(ENOSPC));
      if (parent == WatchTable::kNone) return std::unexpected(system_error("cannot watch", code));
      return {};
    }
    switch (table_.put(watch, parent, name, generation_)) {
      case WatchTable::Put::Seen:
        return {};
      case WatchTable::Put::Cyclic:
        resync_wanted_ = true;
        resync_why_ = "folders were moved faster than they could be followed";
        return {};
      case WatchTable::Put::Added:
      case WatchTable::Put::Moved:
        break;
    }
    if (parent == WatchTable::kNone) root_watch_ = watch;
    if (!options_.recursive && walk.report == Report::Nothing) return {};
    return list(std::move(directory), watch, path, depth, walk);
  }

  Result<void> list(Descriptor directory, int watch, const std::string& path, int depth,
                    Walk& walk) {
    const std::unique_ptr<DIR, CloseDirectory> open(::fdopendir(directory.get()));
    if (!open) return {};
    const int fd = directory.release();
    while (const dirent* entry = ::readdir(open.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const unsigned char type = entry->d_type != DT_UNKNOWN ? entry->d_type : type_of(fd, name);
      if (type == DT_DIR) {
        if (!options_.recursive) continue;
        Descriptor below(
            ::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!below) {
          if (errno == EMFILE || errno == ENFILE) return std::unexpected(limit_error(EMFILE));
          continue;
        }
        auto added = add_open(std::move(below), watch, name, join(path, name), depth + 1, walk);
        if (!added) return added;
      } else if (walk.report != Report::Nothing && ++walk.reported <= kMostEvents) {
        push(Touched{join(path, name),
                     walk.report == Report::AsMoved ? Change::Moved : Change::Written});
      }
    }
    return {};
  }

  static unsigned char type_of(int directory, const std::string& name) {
    struct stat st{};
    if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
    return S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
  }

  void drop(int watch) {
    for (const int gone : table_.subtree(watch)) ::inotify_rm_watch(inotify_.get(), gone);
    if (table_.holds(watch)) table_.erase(watch);
  }

  // No descriptor of the root is kept: it would hold a mount busy that somebody wants to take away.
  Descriptor open_root() const {
    Descriptor root(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat st{};
    if (root && ::fstat(root.get(), &st) == 0 && RootIdentity{st.st_dev, st.st_ino} == identity_) {
      return root;
    }
    if (root) errno = ESTALE;
    return Descriptor(-1);
  }

  Descriptor open_beneath(std::string_view path) const {
    Descriptor at = open_root();
    while (at && !path.empty()) {
      const auto slash = path.find('/');
      const std::string part(path.substr(0, slash));
      path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
      at = Descriptor(
          ::openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }
    return at;
  }

  const std::filesystem::path root_;
  const WatchOptions options_;
  const RootIdentity identity_;
  const Descriptor inotify_;
  const Descriptor wake_;

  WatchTable table_;
  std::deque<WatchEvent> pending_;
  int root_watch_ = WatchTable::kNone;
  std::uint32_t generation_ = 0;
  bool ended_ = false;
  bool resync_wanted_ = false;
  std::string resync_why_;
  TimePoint next_resync_{};
  TimePoint next_identity_check_{};
};

}  // namespace

bool asks_for_polling(const Error& error) {
  return error.os_code == ENOSPC || error.os_code == EMFILE || error.os_code == ENFILE;
}

Result<std::unique_ptr<Watcher>> open_native_watcher(const std::filesystem::path& root,
                                                     const WatchOptions& options) {
  const auto identity = root_identity(root);
  if (!identity) return fail(ErrorKind::Environment, "the folder is not there");
  Descriptor inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify) {
    const int code = errno;
    if (code == EMFILE || code == ENFILE) return std::unexpected(limit_error(EMFILE));
    return std::unexpected(system_error("inotify", code));
  }
  Descriptor wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) return std::unexpected(limit_error(EMFILE));
  auto watcher = std::make_unique<InotifyWatcher>(root, options, *identity, std::move(inotify),
                                                  std::move(wake));
  if (auto begun = watcher->begin(); !begun) return std::unexpected(begun.error());
  return watcher;
}

}  // namespace millrace
