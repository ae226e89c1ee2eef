// Child processes: started with everything given, ended with everything taken back.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// What one of the three standard streams of a child is.
enum class ChildStream {
  Null,     // the null device
  Inherit,  // ours
  Pipe,     // a pipe to us; for the error stream: kept, see Child::error_tail
};

// What a child may use; nothing said means no limit of ours. Core files are always off.
struct ResourceLimits {
  std::optional<std::uint64_t> address_space;    // bytes
  std::optional<std::chrono::seconds> cpu_time;  // then it is killed
  std::optional<std::uint64_t> file_size;        // bytes of any one file that it writes
  std::optional<std::uint64_t> open_files;
};

// What becomes of the child when our process ends, however it ends.
enum class WithParent { Dies, Lives };

struct SpawnRequest {
  std::filesystem::path program;                                 // absolute; PATH is not searched
  std::vector<std::string> arguments;                            // without the program itself
  std::vector<std::pair<std::string, std::string>> environment;  // all of it: nothing is inherited
  std::filesystem::path directory;  // where it starts; empty: where we are
  ChildStream in = ChildStream::Null;
  ChildStream out = ChildStream::Null;
  ChildStream err = ChildStream::Inherit;
  ResourceLimits limits;
  WithParent with_parent = WithParent::Dies;
};

// How a process ended.
struct ExitStatus {
  enum class How { Exited, Killed };
  How how = How::Exited;
  int code = 0;  // exit code, or the number of the signal that killed it
  bool ok() const { return how == How::Exited && code == 0; }
  bool operator==(const ExitStatus&) const = default;
};
std::string to_string(const ExitStatus& status);  // "exit code 1", "killed by signal 9"

// One running child, leader of its own process group. One thread at a time, except kill(), which
// any thread may call. The destructor kills the group and reaps it (milliseconds).
class Child {
 public:
  virtual ~Child() = default;

  // Writes all of it to the child's stdin; Transient when the deadline passed, Vanished when the
  // child does not read any more. Never raises SIGPIPE.
  virtual Result<void> write(std::string_view bytes, TimePoint deadline) = 0;
  // The child sees the end of its stdin. Repeated calls do nothing.
  virtual void close_input() = 0;

  // The next line of the child's stdout without its line end; nullopt at the end of the stream (an
  // unfinished last line is handed out before). Transient when the deadline passed (what came so
  // far is kept for the next call); Input when a line is longer than kLineLimit.
  static constexpr std::size_t kLineLimit = 1 << 20;
  virtual Result<std::optional<std::string>> read_line(TimePoint deadline) = 0;

  // Blocks until the child ended; nullopt when the deadline passed. May be repeated after the end.
  // Whatever else the child left in its group is killed.
  virtual Result<std::optional<ExitStatus>> wait(TimePoint deadline) = 0;

  // Ends the whole group at once and by force. Returns at once; wait() tells when it is gone.
  virtual void kill() = 0;

  // The last 64 KiB that came over the error stream (with err = Pipe), as far as it was read: it is
  // read during write, read_line and wait.
  virtual std::string error_tail() const = 0;

  virtual std::uint64_t id() const = 0;  // the system's process number, for logs
};

// Starts children. It owns what ties them to our life (Linux: the thread whose death the kernel
// reports to them, PR_SET_PDEATHSIG in prctl(2); Windows: a job object), so children that die with
// their parent also die with their launcher: let it outlive them. Thread-safe.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // Environment where the system refuses a process, a descriptor or the program itself
  // (Vanished: there is no such program). Blocks until the program runs (about a millisecond).
  // The child gets its three streams and no other descriptor of ours, default signal handling and
  // an empty signal mask.
  virtual Result<std::unique_ptr<Child>> spawn(SpawnRequest request) = 0;
};

Result<std::unique_ptr<Launcher>> make_launcher();

// The folder of the running program's own file, where its sister programs lie.
Result<std::filesystem::path> own_program_folder();

}  // namespace millrace
