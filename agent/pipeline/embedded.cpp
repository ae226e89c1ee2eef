#include "agent/pipeline/embedded.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "agent/report/log.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/thread.hpp"

namespace millrace {
namespace {

// A machine that has just been started is busy; a child that has died is not waited for.
constexpr Duration kReadyWithin = std::chrono::seconds{60};
constexpr Duration kFirstRestart = std::chrono::milliseconds{200};
constexpr Duration kLongestRestart = std::chrono::seconds{30};
// A child that lived this long was well: the next restart is quick again.
constexpr Duration kWell = std::chrono::seconds{30};
// How long stopping may take to notice: the supervisor looks this often.
constexpr Duration kLookEvery = std::chrono::milliseconds{100};
// The agent itself sends nothing above max_size, which may change while the child runs.
constexpr const char* kAnySize = "1TiB";

// As `serve` takes it: whole seconds, from a second to a week.
std::string limit_text(Duration limit) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limit);
  const auto most = std::chrono::seconds{std::chrono::days{7}};
  return duration_text(std::clamp(seconds, std::chrono::seconds{1}, most));
}

std::string random_name() {
  std::random_device random;
  const std::uint32_t bits = random();
  return to_hex(std::as_bytes(std::span(&bits, 1)));
}

// What the child needs of our environment; the key of a remote converter is not part of it.
std::vector<std::pair<std::string, std::string>> child_environment() {
  std::vector<std::pair<std::string, std::string>> environment;
  for (const char* name : {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR"}) {
    if (const char* value = std::getenv(name)) environment.emplace_back(name, value);
  }
  return environment;
}

// It prints one line when it listens. A stop ends the wait early, as Transient.
Result<std::optional<std::string>> first_line(Child& child, const std::stop_token& stop) {
  const TimePoint limit = std::chrono::steady_clock::now() + kReadyWithin;
  for (;;) {
    const TimePoint now = std::chrono::steady_clock::now();
    auto line = child.read_line(std::min(now + kLookEvery, limit));
    const bool still_starting = !line && line.error().kind == ErrorKind::Transient;
    if (!still_starting || stop.stop_requested() || now >= limit) return line;
  }
}

}  // namespace

EmbeddedConverter::EmbeddedConverter(EmbeddedOptions options, std::unique_ptr<Launcher> launcher)
    : options_(std::move(options)),
      socket_(path_text(options_.runtime_dir / ("serve-" + random_name() + ".sock"))),
      launcher_(std::move(launcher)) {}

Result<std::unique_ptr<EmbeddedConverter>> EmbeddedConverter::make(EmbeddedOptions options) {
  auto launcher = make_launcher();
  if (!launcher) return std::unexpected(launcher.error());
  return std::unique_ptr<EmbeddedConverter>(
      new EmbeddedConverter(std::move(options), std::move(*launcher)));
}

Result<void> EmbeddedConverter::run(Duration time_limit) {
  {
    const MutexLock lock(mutex_);
    time_limit_ = time_limit;
  }
  if (supervisor_.joinable()) return {};
  if (auto spawned = spawn({}); !spawned) return spawned;
  supervisor_ =
      start_thread("embedded", [this](std::stop_token stop) { supervise(std::move(stop)); });
  return {};
}

EmbeddedConverter::~EmbeddedConverter() {
  supervisor_.request_stop();
  if (supervisor_.joinable()) supervisor_.join();
  {
    const MutexLock lock(mutex_);
    child_.reset();
  }
  std::error_code ignored;
  std::filesystem::remove(socket_, ignored);
  // Answers that it kept for a repeated key; after a kill -9 of ours the next start removes them.
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator at(options_.scratch_dir, ignored); at != end;
       at.increment(ignored)) {
    std::filesystem::remove_all(at->path(), ignored);
  }
}

Result<void> EmbeddedConverter::spawn(const std::stop_token& stop) {
  Duration time_limit{};
  {
    const MutexLock lock(mutex_);
    time_limit = time_limit_;
  }
  SpawnRequest request;
  request.program = options_.program;
  request.arguments = {"serve",
                       "--listen",
                       "unix:" + socket_,
                       "--scratch",
                       path_text(options_.scratch_dir),
                       "--max-size",
                       kAnySize,
                       "--time-limit",
                       limit_text(time_limit)};
  request.environment = child_environment();
  request.out = ChildStream::Pipe;
  auto child = launcher_->spawn(std::move(request));
  if (!child) return std::unexpected(child.error());
  const auto line = first_line(**child, stop);
  if (!line || !*line) {
    return fail(ErrorKind::Environment, "the embedded converter did not start" +
                                            (line ? std::string() : ": " + line.error().message));
  }
  const MutexLock lock(mutex_);
  child_ = std::move(*child);
  child_time_limit_ = time_limit;
  return {};
}

// Whether there was one. Only the supervisor ends a child: it is the one that uses it.
bool EmbeddedConverter::end_outdated_child() {
  const MutexLock lock(mutex_);
  if (!child_ || child_time_limit_ == time_limit_) return false;
  child_.reset();
  return true;
}

void EmbeddedConverter::supervise(std::stop_token stop) {
  Duration delay = kFirstRestart;
  TimePoint started = std::chrono::steady_clock::now();
  TimePoint restart_at{};
  while (!stop.stop_requested()) {
    if (end_outdated_child()) {
      log(Level::Info, "the embedded converter is started again with another time limit");
      restart_at = {};
    }
    Child* child = nullptr;
    {
      const MutexLock lock(mutex_);
      child = child_.get();
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (child == nullptr) {
      if (now < restart_at) {
        std::this_thread::sleep_for(kLookEvery);
        continue;
      }
      started = now;
      if (auto spawned = spawn(stop); !spawned && !stop.stop_requested()) {
        log_error(Level::Error, "cannot restart the embedded converter", spawned.error());
        restart_at = now + std::exchange(delay, std::min(delay * 2, kLongestRestart));
      }
      continue;
    }
    const auto ended = child->wait(now + kLookEvery);
    if (!ended || !*ended) continue;
    if (now - started > kWell) delay = kFirstRestart;
    log(Level::Warning, "the embedded converter ended and is started again",
        {{"how", to_string(**ended)}});
    restart_at = now + std::exchange(delay, std::min(delay * 2, kLongestRestart));
    const MutexLock lock(mutex_);
    child_.reset();
  }
}

}  // namespace millrace
