#include "platform/process/worker.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace millrace {
namespace {

constexpr int kOutOfTime = 3;

// What the signal's handler may touch: written before the clock is set. Each text ends in a zero.
struct Alarm {
  int answers = -1;
  std::array<char, 4096> unfinished{};
  std::array<char, 1024> last_words{};
  std::size_t last_words_size = 0;
};
Alarm g_alarm;

void out_of_time(int) {
  ::unlink(g_alarm.unfinished.data());
  [[maybe_unused]] const ssize_t wrote =
      ::write(g_alarm.answers, g_alarm.last_words.data(), g_alarm.last_words_size);
  ::_exit(kOutOfTime);
}

}  // namespace

Result<void> begin_worker() {
  const int answers = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (answers < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    return fail(ErrorKind::Environment, "standard output cannot be taken", errno);
  }
  g_alarm.answers = answers;
  ::signal(SIGALRM, out_of_time);
  ::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);  // one thread computes; more arenas only keep memory
  return {};
}

Result<void> answer_line(std::string line) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t wrote = ::write(g_alarm.answers, rest.data(), rest.size());
    if (wrote < 0 && errno != EINTR) return fail(ErrorKind::Vanished, "the parent is gone", errno);
    if (wrote > 0) rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<void> begin_deadline(const Deadline& deadline, std::string_view last_words) {
  if (deadline.unfinished.size() >= g_alarm.unfinished.size() ||
      last_words.size() >= g_alarm.last_words.size()) {
    return fail(ErrorKind::Input, "the name of the unfinished file is too long");
  }
  *std::ranges::copy(deadline.unfinished, g_alarm.unfinished.begin()).out = '\0';
  *std::ranges::copy(last_words, g_alarm.last_words.begin()).out = '\n';
  g_alarm.last_words_size = last_words.size() + 1;
  ::alarm(deadline.seconds);
  return {};
}

void end_deadline() { ::alarm(0); }

void set_temporary_folder(const std::string& path) { ::setenv("TMPDIR", path.c_str(), 1); }

void leave_worker(int status) { ::_exit(status); }

}  // namespace millrace
