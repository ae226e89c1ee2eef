#include "platform/host/host.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "platform/base/descriptor_posix.hpp"
#include "platform/host/user_posix.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// An XDG variable counts only if it is absolute.
fs::path xdg(const char* variable, const fs::path& fallback) {
  const char* value = std::getenv(variable);
  if (value != nullptr && value[0] == '/') return value;
  return fallback;
}

Result<fs::path> runtime_folder() {
  if (const char* xdg_runtime = std::getenv("XDG_RUNTIME_DIR");
      xdg_runtime != nullptr && xdg_runtime[0] == '/' && access(xdg_runtime, W_OK) == 0) {
    fs::path folder = fs::path(xdg_runtime) / "millrace";
    if (auto made = make_private(folder); !made) return std::unexpected(made.error());
    return folder;
  }
  fs::path folder = "/tmp/millrace-" + std::to_string(geteuid());
  if (auto made = make_private(folder); !made) return std::unexpected(made.error());
  return folder;
}

// By default glibc gives freed memory back from 128 KiB on, in every thread, and the next request
// faults it in again page by page (mallopt(3)).
void keep_memory_for_the_next_request() {
#ifdef __GLIBC__
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

class LinuxSignals final : public SignalSource {
 public:
  LinuxSignals() {
    sigemptyset(&set_);
    for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, s);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  std::optional<Signal> wait(std::chrono::milliseconds wait_for) override {
    const timespec limit{wait_for.count() / 1000, (wait_for.count() % 1000) * 1'000'000};
    const int got = sigtimedwait(&set_, nullptr, &limit);
    if (got < 0) return std::nullopt;
    if (got == SIGHUP) return Signal::Reload;
    interrupted_ = got == SIGINT;
    return Signal::Stop;
  }
  bool interrupted() const override { return interrupted_; }

 private:
  sigset_t set_{};
  bool interrupted_ = false;
};

}  // namespace

Result<StandardFolders> standard_folders() {
  StandardFolders folders;
  folders.home = home_folder();
  folders.config_file =
      xdg("XDG_CONFIG_HOME", folders.home / ".config") / "millrace" / "config.toml";
  folders.state_dir = xdg("XDG_STATE_HOME", folders.home / ".local" / "state") / "millrace";
  auto runtime = runtime_folder();
  if (!runtime) return std::unexpected(runtime.error());
  folders.runtime_dir = std::move(*runtime);
  return folders;
}

fs::path own_executable() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

void notify_service_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // abstract namespace, unix(7)
  const Descriptor fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // Nothing can be done about a service manager that does not listen.
  (void)sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size);
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  const char* text = std::getenv("WATCHDOG_USEC");
  if (text == nullptr) return std::nullopt;
  const long long usec = std::atoll(text);
  if (usec <= 0) return std::nullopt;
  return std::chrono::microseconds{usec};
}

std::size_t descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
  return static_cast<std::size_t>(limit.rlim_cur);
}

void harden_process() {
  signal(SIGPIPE, SIG_IGN);
  unsetenv("SSLKEYLOGFILE");
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
  keep_memory_for_the_next_request();
}

std::unique_ptr<SignalSource> take_signals() { return std::make_unique<LinuxSignals>(); }

}  // namespace millrace
