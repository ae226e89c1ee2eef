#include "platform/host/host.hpp"

#include <signal.h>
#include <sys/event.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <system_error>

#include "platform/base/descriptor_posix.hpp"
#include "platform/base/own_program_macos.hpp"
#include "platform/host/macos_folders.hpp"
#include "platform/host/user_posix.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool is_ours(const fs::path& folder) {
  struct stat info{};
  return stat(folder.c_str(), &info) == 0 && info.st_uid == geteuid();
}

// The system's folder of this user's temporary files, which is theirs alone; TMPDIR names it too,
// but not in every process of a user. What lies there for three days may be swept away.
fs::path temporary_folder() {
  std::array<char, 1024> text{};
  const std::size_t needed = confstr(_CS_DARWIN_USER_TEMP_DIR, text.data(), text.size());
  if (needed == 0 || needed > text.size()) return "/tmp/millrace-" + std::to_string(geteuid());
  return fs::path(text.data()) / "millrace";
}

// sudo keeps HOME: what root made there would shut its owner out.
fs::path runtime_folder(const fs::path& home, const fs::path& wanted) {
  if (wanted.empty() || !is_ours(home)) return temporary_folder();
  std::error_code problem;  // which make_private() tells of
  fs::create_directories(wanted.parent_path(), problem);
  return wanted;
}

// kqueue hears of signals that are ignored, so that no thread has to block them.
class KqueueSignals final : public SignalSource {
 public:
  KqueueSignals() : queue_(kqueue()) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      signal(number, SIG_IGN);
      struct kevent change{};
      EV_SET(&change, number, EVFILT_SIGNAL, EV_ADD | EV_CLEAR, 0, 0, nullptr);
      kevent(queue_.get(), &change, 1, nullptr, 0, nullptr);
    }
  }

  std::optional<Signal> wait(std::chrono::milliseconds wait_for) override {
    const timespec limit{wait_for.count() / 1000, (wait_for.count() % 1000) * 1'000'000};
    struct kevent got{};
    if (kevent(queue_.get(), nullptr, 0, &got, 1, &limit) != 1) return std::nullopt;
    if (got.ident == SIGHUP) return Signal::Reload;
    interrupted_ = got.ident == SIGINT;
    return Signal::Stop;
  }

  bool interrupted() const override { return interrupted_; }

 private:
  const Descriptor queue_;
  bool interrupted_ = false;
};

}  // namespace

Result<StandardFolders> standard_folders() {
  StandardFolders folders;
  folders.home = home_folder();
  MacosFolders own = macos_folders(folders.home);
  folders.config_file = std::move(own.config_file);
  folders.state_dir = std::move(own.state_dir);
  folders.runtime_dir = runtime_folder(folders.home, own.runtime_dir);
  if (auto made = make_private(folders.runtime_dir); !made) return std::unexpected(made.error());
  return folders;
}

fs::path own_executable() { return own_program(); }

// launchd wants no word: a process that runs is ready, and one that ends is started again.
void notify_service_manager(std::string_view) {}

std::optional<std::chrono::microseconds> watchdog_interval() { return std::nullopt; }

// What waits with select(2), as libcurl does here, takes no higher number than FD_SETSIZE.
std::size_t descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return FD_SETSIZE;
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, FD_SETSIZE));
}

void harden_process() {
  signal(SIGPIPE, SIG_IGN);
  unsetenv("SSLKEYLOGFILE");
  // launchd and terminals give 256.
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FD_SETSIZE) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, FD_SETSIZE);
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // Files in the cloud only are not fetched by reading: it fails with EDEADLK.
  setiopolicy_np(IOPOL_TYPE_VFS_MATERIALIZE_DATALESS_FILES, IOPOL_SCOPE_PROCESS,
                 IOPOL_MATERIALIZE_DATALESS_FILES_OFF);
}

std::unique_ptr<SignalSource> take_signals() { return std::make_unique<KqueueSignals>(); }

}  // namespace millrace
