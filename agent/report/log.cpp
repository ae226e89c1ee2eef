#include "agent/report/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "agent/report/repeats.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// Lines that may wait for a slow reader before the oldest is dropped.
constexpr std::size_t kQueueLines = 8192;
// How long the end of the process waits for a reader of the log.
constexpr std::chrono::seconds kLastLines{1};

struct LevelRow {
  std::string_view name;
  spdlog::level::level_enum level;
};
constexpr std::array kLevels{
    LevelRow{"debug", spdlog::level::debug},  LevelRow{"info", spdlog::level::info},
    LevelRow{"warning", spdlog::level::warn}, LevelRow{"warn", spdlog::level::warn},
    LevelRow{"error", spdlog::level::err},    LevelRow{"off", spdlog::level::off},
};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warning:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// Quoted where a blank or a quote would make the line ambiguous.
void append_value(std::string& line, std::string_view value) {
  const std::string safe = printable(value);
  const bool quote = safe.empty() || safe.find_first_of(" \"=") != std::string::npos;
  if (!quote) {
    line += safe;
    return;
  }
  line += '"';
  for (const char c : safe) {
    if (c == '"') line += '\\';
    line += c;
  }
  line += '"';
}

void write_line(Level level, std::string_view message, const Error* error,
                std::initializer_list<Field> fields) {
  const auto logger = spdlog::default_logger();
  if (!logger || !logger->should_log(to_spdlog(level))) return;
  std::string line(message);
  const auto add = [&](std::string_view name, std::string_view value) {
    line += ' ';
    line += name;
    line += '=';
    append_value(line, value);
  };
  for (const auto& [name, value] : fields) add(name, value);
  if (error != nullptr) {
    add("kind", to_string(error->kind));
    add("why", error->message);
  }
  static Repeats repeats;
  const auto held_back = repeats.pass(line, std::chrono::steady_clock::now());
  if (!held_back) return;
  if (*held_back > 0) add("repeated", std::to_string(*held_back));
  logger->log(to_spdlog(level), "{}", line);
}

spdlog::sink_ptr make_sink(const LogFile& file) {
  if (file.path.empty()) return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  const auto older = static_cast<std::size_t>(std::max(file.files - 1, 0));
  return std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.path.native(), file.most_bytes,
                                                                older);
}

class ListenerSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ListenerSink(LogListener listener) : listener_(std::move(listener)) {
    set_level(spdlog::level::warn);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const bool error = message.level >= spdlog::level::err;
    listener_(error ? Level::Error : Level::Warning,
              {message.payload.data(), message.payload.size()});
  }
  void flush_() override {}

  const LogListener listener_;
};

}  // namespace

void log(Level level, std::string_view message, std::initializer_list<Field> fields) {
  write_line(level, message, nullptr, fields);
}

void log_error(Level level, std::string_view message, const Error& error,
               std::initializer_list<Field> fields) {
  write_line(level, message, &error, fields);
}

Result<void> start_log(std::string_view level, const LogFile& file, LogListener listener) {
  const auto row = std::ranges::find(kLevels, level, &LevelRow::name);
  if (row == kLevels.end()) {
    return fail(ErrorKind::Configuration, "log level \"" + printable(level) +
                                              "\" is none of debug, info, warning, error, off");
  }
  try {
    spdlog::init_thread_pool(kQueueLines, 1);
    std::vector<spdlog::sink_ptr> sinks{make_sink(file)};
    if (listener) sinks.push_back(std::make_shared<ListenerSink>(std::move(listener)));
    auto logger = std::make_shared<spdlog::async_logger>(
        "millrace", sinks.begin(), sinks.end(), spdlog::thread_pool(),
        spdlog::async_overflow_policy::overrun_oldest);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    logger->set_level(row->level);
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& problem) {
    return fail(ErrorKind::Configuration, std::string("cannot start the log: ") + problem.what());
  }
  return {};
}

bool stop_log() {
  auto done = std::make_shared<std::promise<void>>();
  auto written = done->get_future();
  std::thread last_lines([done] {
    // Outlives the thread that writes its last lines, which shutdown() joins at its end.
    const std::shared_ptr<spdlog::logger> logger = spdlog::default_logger();
    spdlog::shutdown();
    done->set_value();
  });
  if (written.wait_for(kLastLines) == std::future_status::ready) {
    last_lines.join();
    return true;
  }
  last_lines.detach();  // it cannot be joined, and the process is about to end
  return false;
}

}  // namespace millrace
