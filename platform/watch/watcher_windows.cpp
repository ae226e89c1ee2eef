// ReadDirectoryChangesW: one handle hears the whole tree. The system writes into one buffer while
// the other is read, so that the time without a buffer is that of two system calls; what does not
// fit into it is said to be lost.
// https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-readdirectorychangesw
#include <windows.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <vector>

#include "platform/base/handle_windows.hpp"
#include "platform/base/long_path_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/watch/root_identity.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

constexpr DWORD kFilter = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME |
                          FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_SIZE |
                          FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_CREATION;
constexpr DWORD kBufferBytes = 64 * 1024;  // a server takes no more (SMB)
// A rename of the root or of a folder above it, and a share that came back, make no event: the path
// is compared this often.
constexpr auto kIdentityEvery = std::chrono::seconds{5};

using Buffer = std::array<DWORD, kBufferBytes / sizeof(DWORD)>;

Error system_error(const char* what, DWORD code) {
  return windows_failure(ErrorKind::Environment, what, code).error();
}

class ChangesWatcher final : public Watcher {
 public:
  ChangesWatcher(std::filesystem::path root, const WatchOptions& options, RootIdentity identity,
                 Handle directory, Handle filled, Handle wake)
      : root_(std::move(root)),
        options_(options),
        identity_(identity),
        directory_(std::move(directory)),
        filled_(std::move(filled)),
        wake_(std::move(wake)) {}

  ~ChangesWatcher() override {
    if (!armed_) return;
    // The system owns the buffer until it says that it has stopped.
    ::CancelIoEx(directory_.get(), &request_);
    DWORD bytes = 0;
    ::GetOverlappedResult(directory_.get(), &request_, &bytes, TRUE);
  }

  // From now on the system keeps what happens.
  Result<void> begin() {
    next_identity_check_ = std::chrono::steady_clock::now() + kIdentityEvery;
    arm();
    return ended_ ? Result<void>(std::unexpected(std::get<Ended>(pending_.back()).error))
                  : Result<void>{};
  }

  void wait(TimePoint deadline, std::vector<WatchEvent>& events) override {
    if (done_) return;
    if (pending_.empty()) wait_for_input(deadline);
    while (!ended_ && pending_.size() < kMostEvents && take_buffer()) {
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (!ended_ && now >= next_identity_check_) check_identity(now);
    const auto count = std::min(pending_.size(), kMostEvents);
    const auto last = pending_.begin() + static_cast<std::ptrdiff_t>(count);
    events.insert(events.end(), std::make_move_iterator(pending_.begin()),
                  std::make_move_iterator(last));
    pending_.erase(pending_.begin(), last);
    done_ = ended_ && pending_.empty();
  }

  void wake() override { ::SetEvent(wake_.get()); }

  std::string describe() const override { return "ReadDirectoryChangesW"; }

 private:
  // -- waiting -----------------------------------------------------------------------------------

  void wait_for_input(TimePoint deadline) {
    if (ended_) return;
    const TimePoint until = std::min(deadline, next_identity_check_);
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const std::array<HANDLE, 2> handles{filled_.get(), wake_.get()};
    ::WaitForMultipleObjects(static_cast<DWORD>(handles.size()), handles.data(), FALSE,
                             static_cast<DWORD>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
  }

  void arm() {
    request_ = OVERLAPPED{};
    request_.hEvent = filled_.get();
    armed_ = ::ReadDirectoryChangesW(directory_.get(), buffers_[writing_].data(), kBufferBytes,
                                     options_.recursive ? TRUE : FALSE, kFilter, nullptr, &request_,
                                     nullptr) != 0;
    if (!armed_) end(system_error("cannot watch", ::GetLastError()));
  }

  // False if the system has nothing yet.
  bool take_buffer() {
    DWORD bytes = 0;
    if (!::GetOverlappedResult(directory_.get(), &request_, &bytes, FALSE)) {
      const DWORD code = ::GetLastError();
      if (code == ERROR_IO_INCOMPLETE) return false;
      armed_ = false;
      if (code != ERROR_NOTIFY_ENUM_DIR) {
        end(system_error("the folder was removed or its drive is gone", code));
        return false;
      }
      bytes = 0;
    }
    const Buffer& full = buffers_[writing_];
    writing_ = 1 - writing_;
    arm();
    if (bytes == 0) {
      lose("", "the buffer of events overflowed");
    } else {
      take_all(full);
    }
    return true;
  }

  // -- events ------------------------------------------------------------------------------------

  void take_all(const Buffer& buffer) {
    const auto* at = reinterpret_cast<const std::byte*>(buffer.data());
    for (;;) {
      FILE_NOTIFY_INFORMATION head;
      std::memcpy(&head, at, offsetof(FILE_NOTIFY_INFORMATION, FileName));
      const auto* name =
          reinterpret_cast<const wchar_t*>(at + offsetof(FILE_NOTIFY_INFORMATION, FileName));
      take(head.Action, std::wstring(name, head.FileNameLength / sizeof(wchar_t)));
      if (head.NextEntryOffset == 0) return;
      at += head.NextEntryOffset;
    }
  }

  void take(DWORD action, std::wstring wide) {
    if (action == FILE_ACTION_REMOVED || action == FILE_ACTION_RENAMED_OLD_NAME)
      return push(Touched{to_name(wide), Change::Removed});
    wide = with_long_names(std::move(wide));
    const std::string name = to_name(wide);
    if (action == FILE_ACTION_MODIFIED) return push(Touched{name, Change::Written});
    // A file that is moved in from outside is "added" too, and may as well be one that is written.
    const Change change = action == FILE_ACTION_RENAMED_NEW_NAME ? Change::Moved : Change::Written;
    if (!is_directory(wide)) return push(Touched{name, change});
    if (options_.recursive) report_content(name, change);
  }

  // A folder may come with its content, of which no event tells.
  void report_content(const std::string& folder, Change change) {
    std::vector<std::pair<std::string, int>> folders{{folder, 0}};
    std::size_t reported = 0;
    while (!folders.empty() && reported <= kMostEvents) {
      const auto [here, depth] = std::move(folders.back());
      folders.pop_back();
      const auto error = poll_directory(root_, here, [&, depth = depth](PolledEntry entry) {
        if (options_.still_alive) options_.still_alive();
        std::string name = here + "/" + entry.leaf;
        if (entry.stamp) {
          if (++reported <= kMostEvents) push(Touched{std::move(name), change});
        } else if (entry.is_directory && depth < kDeepestFolder) {
          folders.emplace_back(std::move(name), depth + 1);
        }
      });
      // One that is gone again makes its own event.
      static_cast<void>(error);
    }
    if (reported > kMostEvents) lose(folder, "a folder came with its content");
  }

  bool is_directory(const std::wstring& name) const {
    const DWORD found = ::GetFileAttributesW(path_of(name).c_str());
    return found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY) != 0 &&
           (found & FILE_ATTRIBUTE_REPARSE_POINT) == 0;
  }

  std::wstring path_of(const std::wstring& name) const { return prefix_ + name; }

  // A writer that uses the short name of a file (`LONGNA~1.PNG`) makes events that do as well.
  std::wstring with_long_names(std::wstring name) const {
    if (name.find(L'~') == std::wstring::npos) return name;
    std::wstring full(32768, L'\0');
    full.resize(
        ::GetLongPathNameW(path_of(name).c_str(), full.data(), static_cast<DWORD>(full.size())));
    // The root is written with as many parts as before, and as long where it has no short names.
    return full.starts_with(prefix_) ? full.substr(prefix_.size()) : name;
  }

  static std::string to_name(std::wstring wide) {
    std::replace(wide.begin(), wide.end(), L'\\', L'/');
    return name_text(wide);
  }

  void push(Touched touched) {
    if (!pending_.empty()) {
      const auto* last = std::get_if<Touched>(&pending_.back());
      if (last != nullptr && last->change == touched.change && last->name == touched.name) return;
    }
    pending_.emplace_back(std::move(touched));
  }

  void lose(std::string below, std::string why) {
    pending_.emplace_back(Lost{std::move(below), std::move(why)});
  }

  void end(Error error) {
    ended_ = true;
    pending_.emplace_back(Ended{std::move(error)});
  }

  void check_identity(TimePoint now) {
    next_identity_check_ = now + kIdentityEvery;
    if (root_identity(root_) == identity_) return;
    end(Error{ErrorKind::Environment, "the folder is gone or another one is in its place", 0, {}});
  }

  const std::filesystem::path root_;
  const std::wstring prefix_ = verbatim(root_) + L"\\";
  const WatchOptions options_;
  const RootIdentity identity_;
  const Handle directory_;
  const Handle filled_;
  const Handle wake_;

  OVERLAPPED request_{};
  std::array<Buffer, 2> buffers_{};
  std::size_t writing_ = 0;  // the buffer that the system has
  bool armed_ = false;

  std::deque<WatchEvent> pending_;
  bool ended_ = false;  // Ended is the last of pending_, or was handed out
  bool done_ = false;
  TimePoint next_identity_check_{};
};

}  // namespace

bool asks_for_polling(const Error& error) {
  static constexpr DWORD kCodes[] = {ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED,
                                     ERROR_TOO_MANY_OPEN_FILES, ERROR_TOO_MANY_CMDS,
                                     ERROR_NO_SYSTEM_RESOURCES};
  return std::ranges::find(kCodes, static_cast<DWORD>(error.os_code)) != std::end(kCodes);
}

Result<std::unique_ptr<Watcher>> open_native_watcher(const std::filesystem::path& root,
                                                     const WatchOptions& options) {
  const auto identity = root_identity(root);
  if (!identity) return fail(ErrorKind::Environment, "the folder is not there");
  // Shared for everything: the folder may be renamed and removed while it is watched.
  Handle directory(::CreateFileW(verbatim(root).c_str(), FILE_LIST_DIRECTORY,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                 OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED,
                                 nullptr));
  if (!directory) return std::unexpected(system_error("cannot open", ::GetLastError()));
  Handle filled(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
  Handle wake(::CreateEventW(nullptr, FALSE, FALSE, nullptr));
  if (!filled || !wake) return std::unexpected(system_error("no event", ::GetLastError()));
  auto watcher = std::make_unique<ChangesWatcher>(root, options, *identity, std::move(directory),
                                                  std::move(filled), std::move(wake));
  if (auto begun = watcher->begin(); !begun) return std::unexpected(begun.error());
  return watcher;
}

}  // namespace millrace
