// A share that hangs: bindfs, stopped.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "agent/watch/root.hpp"
#include "tests/roots/recording_sink.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

extern char** environ;

namespace millrace {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::eventually;

class Bindfs {
 public:
  Bindfs(const fs::path& from, const fs::path& at) : at_(at) {
    std::string arguments[] = {"bindfs", "-f", from.string(), at.string()};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                    arguments[3].data(), nullptr};
    if (::posix_spawnp(&pid_, "bindfs", nullptr, nullptr, argv, environ) != 0) pid_ = -1;
  }
  ~Bindfs() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  bool is_mounted() const {
    return eventually([&] {
      const auto kind = file_system_kind(at_);
      return kind && kind->nature == FileSystemNature::Fuse;
    });
  }
  void stop() { ::kill(pid_, SIGSTOP); }
  void go_on() { ::kill(pid_, SIGCONT); }

 private:
  fs::path at_;
  pid_t pid_ = -1;
};

TEST_CASE("a hung share is told at once, others go on, and it recovers [C1] [C2] [P7]") {
  if (::access("/dev/fuse", R_OK | W_OK) != 0) FAIL("this test needs bindfs and /dev/fuse");
  test::Scratch scratch;
  fs::create_directory(scratch / "back");
  fs::create_directory(scratch / "share");
  Bindfs share(scratch / "back", scratch / "share");
  REQUIRE(share.is_mounted());
  test::RecordingSink sink;
  SystemClock clock;
  RootSettings settings;
  settings.inbox = scratch / "share";
  settings.poll = 20ms;
  settings.stalled_after = 100ms;
  {
    FolderRoot root(settings, real_file_system(), clock, sink);
    root.start();
    REQUIRE(eventually([&] { return sink.whole_scans() == 1; }));
    CHECK(root.health().nature == RootNature::Remote);
    CHECK(root.health().how.find("fuse") != std::string::npos);
    test::write_file(scratch / "back/behind", "x");
    CHECK(eventually([&] { return sink.saw("behind"); }));
    share.stop();
    CHECK(eventually([&] {
      const auto before = clock.now();
      const RootHealth health = root.health();
      CHECK(clock.now() - before < 10s);  // it waits for no call that hangs
      return health.state == RootState::Stalled && health.stalled_for > 100ms;
    }));
    root.request_probes({{0, "behind"}});
    root.request_stop();
    CHECK_FALSE(root.wait_stopped(clock.now() + 200ms));
    share.go_on();
    CHECK(root.wait_stopped(clock.now() + 10s));
  }
}

}  // namespace
}  // namespace millrace
