#include "platform/host/host.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <system_error>
#include <thread>

#include "platform/base/descriptor_linux.hpp"
#include "platform/host/secret_name.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> system_error(std::string_view what, const fs::path& path) {
  const int code = errno;
  return fail(ErrorKind::Environment,
              std::string(what) + " " + path.string() + ": " + std::strerror(code), code);
}

// An XDG variable counts only if it is absolute.
fs::path xdg(const char* variable, const fs::path& fallback) {
  const char* value = std::getenv(variable);
  if (value != nullptr && value[0] == '/') return value;
  return fallback;
}

fs::path home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') return home;
  const passwd* user = getpwuid(getuid());
  return user != nullptr ? user->pw_dir : "/";
}

// A folder that is ours alone. A name that somebody else made first in a shared place is refused.
Result<void> make_private(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error("cannot make", folder);
  }
  struct stat info{};
  if (lstat(folder.c_str(), &info) != 0) return system_error("cannot look at", folder);
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return fail(ErrorKind::Environment, folder.string() + " is not a folder private to this user");
  }
  return {};
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

constexpr std::string_view kLockName = "lock";
// A command that changes the ledger of no agent holds the lock for so long at most.
constexpr std::chrono::milliseconds kHeldForAMoment{1000};
constexpr std::chrono::milliseconds kAskAgain{10};

// A lock of the open file (F_OFD_SETLK, fcntl(2)): it ends with the process however that ends.
// Unlike flock(2) it can be asked for without being taken, so a command that asks stops nobody's
// start.
struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;  // from 0, and a length of 0 is to the end
}

class LinuxInstanceLock final : public InstanceLock {
 public:
  explicit LinuxInstanceLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

std::string holder_of(int fd) {
  char text[32] = {};
  const ssize_t n = pread(fd, text, sizeof text - 1, 0);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : "unknown";
}

// By default glibc gives freed memory back from 128 KiB on, in every thread, and the next request
// faults it in again page by page (mallopt(3)).
void keep_memory_for_the_next_request() {
#ifdef __GLIBC__
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

fs::path secret_path(const fs::path& config_dir, std::string_view name) {
  return config_dir / "secrets" / std::string(name);
}

constexpr std::size_t kLongestSecret = 16 * 1024;  // bytes
constexpr std::size_t kLineEnd = 2;

std::unexpected<Error> too_long(const std::string& what) {
  return fail(ErrorKind::Configuration,
              what + " is longer than " + std::to_string(kLongestSecret) + " bytes");
}

// One byte more than `most` tells that there is more; nothing on an error (errno).
std::optional<std::string> read_at_most(int fd, std::size_t most) {
  std::string text(most + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto n =
        again_if_interrupted([&] { return read(fd, text.data() + filled, text.size() - filled); });
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  text.resize(filled);
  return text;
}

Result<void> write_new(const fs::path& path, std::string_view bytes) {
  const Descriptor fd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_error("cannot make", path);
  if (write_all(fd.get(), bytes) && fsync(fd.get()) == 0) return {};
  return system_error("cannot write", path);
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

void utf8_arguments(int&, char**&) {}

fs::path own_executable() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

Result<std::unique_ptr<InstanceLock>> lock_instance(const fs::path& state_dir) {
  const fs::path path = state_dir / kLockName;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error("cannot open", path);
  auto lock = std::make_unique<LinuxInstanceLock>(fd);
  const auto give_up = std::chrono::steady_clock::now() + kHeldForAMoment;
  struct flock wanted = whole_file(F_WRLCK);
  while (fcntl(fd, F_OFD_SETLK, &wanted) != 0) {
    if (errno != EAGAIN && errno != EACCES) return system_error("cannot lock", path);
    if (std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(kAskAgain);
      continue;
    }
    return fail(ErrorKind::Exists, "another instance runs with the state folder " +
                                       state_dir.string() + " (process " + holder_of(fd) + ")");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return system_error("cannot write", path);
  }
  return lock;
}

bool instance_runs(const fs::path& state_dir) {
  const Descriptor fd(open((state_dir / kLockName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return false;
  struct flock in_the_way = whole_file(F_RDLCK);
  return fcntl(fd.get(), F_OFD_GETLK, &in_the_way) == 0 && in_the_way.l_type != F_UNLCK;
}

Result<std::string> read_secret_file(const fs::path& file) {
  const Descriptor fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    return fail(ErrorKind::Configuration,
                "cannot read the secret in " + file.string() + ": " + std::strerror(errno), errno);
  }
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return system_error("cannot look at", file);
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorKind::Configuration, file.string() +
                                              " is no regular file; a secret is kept in "
                                              "a file that only its user may read");
  }
  if ((info.st_mode & 077) != 0) {
    return fail(ErrorKind::Configuration, "others may read the secret in " + file.string() +
                                              "; run: chmod 600 " + file.string());
  }
  auto text = read_at_most(fd.get(), kLongestSecret + kLineEnd);
  if (!text) return system_error("cannot read", file);
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty())
    return fail(ErrorKind::Configuration, "the secret in " + file.string() + " is empty");
  if (text->size() > kLongestSecret) return too_long("the secret in " + file.string());
  return std::move(*text);
}

Result<std::string> read_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return std::unexpected(good.error());
  if (access(secret_path(config_dir, name).c_str(), F_OK) != 0) {
    return fail(ErrorKind::Configuration, "there is no secret `" + std::string(name) +
                                              "`; run: millrace secret set " + std::string(name));
  }
  return read_secret_file(secret_path(config_dir, name));
}

Result<void> store_secret(const fs::path& config_dir, std::string_view name,
                          std::string_view value) {
  if (auto good = check_secret_name(name); !good) return good;
  if (value.size() > kLongestSecret) return too_long("the secret");
  std::error_code problem;
  fs::create_directories(config_dir, problem);
  const fs::path folder = config_dir / "secrets";
  if (auto made = make_private(folder); !made) return made;
  const fs::path path = secret_path(config_dir, name);
  const fs::path fresh = path.string() + ".new";
  unlink(fresh.c_str());
  Result<void> stored = write_new(fresh, value);
  if (stored && rename(fresh.c_str(), path.c_str()) != 0)
    stored = system_error("cannot write", path);
  if (!stored) {
    unlink(fresh.c_str());
    return stored;
  }
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || fsync(directory.get()) != 0) return system_error("cannot sync", folder);
  return {};
}

Result<void> remove_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return good;
  if (unlink(secret_path(config_dir, name).c_str()) != 0) {
    if (errno == ENOENT) {
      return fail(ErrorKind::Configuration, "there is no secret `" + std::string(name) + "`");
    }
    return system_error("cannot remove", secret_path(config_dir, name));
  }
  return {};
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

void exit_now(int status) { _exit(status); }

bool is_terminal(int stream) { return isatty(stream) == 1; }

int terminal_width() {
  winsize size{};
  if (ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace millrace
