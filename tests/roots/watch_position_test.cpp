// Positions in a history of changes, on every system: the watcher is an imitation.
#include "agent/watch/watch_position.hpp"

#include "agent/watch/root.hpp"
#include "tests/roots/recording_sink.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::eventually;
using test::RecordingSink;
using test::Scratch;
using test::write_file;

constexpr TimePoint kFirstTurn{1h};

TEST_CASE("a position is kept at once, then not more often than every 5 s, and at the end") {
  WatchPosition position("");
  CHECK_FALSE(position.take_due(kFirstTurn));
  position.reached("1");
  CHECK(position.take_due(kFirstTurn) == "1");
  position.reached("2");
  position.reached("3");
  CHECK_FALSE(position.take_due(kFirstTurn + 4999ms));
  CHECK(position.take_due(kFirstTurn + 5s) == "3");
  CHECK_FALSE(position.take_due(kFirstTurn + 1h));  // nothing has happened since
  position.reached("4");
  CHECK(position.take_due(kFirstTurn + 1h) == "4");
  position.reached("5");
  CHECK(position.take_due(TimePoint::max()) == "5");
  CHECK_FALSE(position.take_due(TimePoint::max()));
}

TEST_CASE("what an earlier run kept is not kept anew, and no position is none") {
  WatchPosition position("7");
  position.reached("7");
  CHECK_FALSE(position.take_due(kFirstTurn));
  position.reached("");  // of a watcher that polls
  CHECK(position.latest() == "7");
  CHECK_FALSE(position.take_due(TimePoint::max()));
}

// What a test lets a watcher say. Outlives every watcher.
class Script {
 public:
  // Comes with the next wait(), which moves the position there.
  void say(WatchEvent event, std::string position) {
    const MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    position_ = std::move(position);
    changed_.notify_all();
  }
  void open(const std::string& since) {
    const MutexLock lock(mutex_);
    opened_.push_back(since);
  }
  std::vector<std::string> opened() const {
    const MutexLock lock(mutex_);
    return opened_;
  }
  void wake() {
    const MutexLock lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }
  std::string take(std::vector<WatchEvent>& events) {
    MutexLock lock(mutex_);
    if (events_.empty() && !woken_)
      changed_.wait_until(lock, std::chrono::steady_clock::now() + 1ms);
    woken_ = false;
    for (WatchEvent& event : std::exchange(events_, {})) events.push_back(std::move(event));
    return position_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<WatchEvent> events_ GUARDED_BY(mutex_);
  std::string position_ GUARDED_BY(mutex_);
  std::vector<std::string> opened_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
};

class ScriptedWatcher final : public Watcher {
 public:
  explicit ScriptedWatcher(Script& script) : script_(script) {}
  void wait(TimePoint, std::vector<WatchEvent>& events) override {
    position_ = script_.take(events);
  }
  void wake() override { script_.wake(); }
  std::string describe() const override { return "a script"; }
  std::string position() const override { return position_; }

 private:
  Script& script_;
  std::string position_;  // of the owner's thread
};

struct ScriptedInbox {
  explicit ScriptedInbox(std::string since = {}) {
    settings.inbox = scratch.path();
    settings.watch_since = std::move(since);
    settings.first_retry = 1ms;
  }
  void start() {
    root = std::make_unique<FolderRoot>(
        settings, real_file_system(), clock, sink,
        [this](const fs::path&, const WatchOptions& options) {
          script.open(options.since);
          return Result<std::unique_ptr<Watcher>>(std::make_unique<ScriptedWatcher>(script));
        });
    root->start();
    REQUIRE(eventually([&] { return sink.whole_scans() >= 1; }));
  }
  // Whether exactly these were kept, in this order; a later one does not come unasked.
  bool kept(const std::vector<std::string>& positions) {
    return eventually([&] { return sink.positions() == positions; });
  }

  Scratch scratch;
  Script script;
  ManualClock clock;
  RecordingSink sink;
  RootSettings settings;
  std::unique_ptr<FolderRoot> root;
};

TEST_CASE("a root begins where it was left, and keeps what it has handed on") {
  ScriptedInbox in("10");
  in.start();
  CHECK(in.script.opened() == std::vector<std::string>{"10"});
  write_file(in.scratch / "a", "x");
  in.script.say(Touched{"a", Change::Written}, "11");
  REQUIRE(in.kept({"11"}));
  CHECK(in.sink.saw("a"));  // before its position was kept
  write_file(in.scratch / "b", "x");
  in.script.say(Touched{"b", Change::Written}, "12");
  REQUIRE(eventually([&] { return in.sink.saw("b"); }));
  write_file(in.scratch / "c", "x");
  in.script.say(Touched{"c", Change::Written}, "13");
  REQUIRE(eventually([&] { return in.sink.saw("c"); }));
  CHECK(in.sink.positions() == std::vector<std::string>{"11"});  // the clock stands still
  in.clock.advance(WatchPosition::kEvery);
  CHECK(in.kept({"11", "13"}));
}

TEST_CASE("a root keeps at the end what it had not kept yet") {
  ScriptedInbox in;
  in.start();
  write_file(in.scratch / "a", "x");
  in.script.say(Touched{"a", Change::Written}, "1");
  REQUIRE(in.kept({"1"}));
  write_file(in.scratch / "b", "x");
  in.script.say(Touched{"b", Change::Written}, "2");
  REQUIRE(eventually([&] { return in.sink.saw("b"); }));
  // One turn later it is noted.
  write_file(in.scratch / "c", "x");
  in.script.say(Touched{"c", Change::Written}, "2");
  REQUIRE(eventually([&] { return in.sink.saw("c"); }));
  in.root.reset();
  CHECK(in.sink.positions() == std::vector<std::string>{"1", "2"});
}

TEST_CASE("a root that comes back begins where its last watcher was") {
  ScriptedInbox in("10");
  in.start();
  write_file(in.scratch / "a", "x");
  in.script.say(Touched{"a", Change::Written}, "11");
  REQUIRE(in.kept({"11"}));
  // The position of a watcher that has ended covers what was not handed on.
  in.script.say(Ended{Error{ErrorKind::Environment, "gone", 0, {}}}, "99");
  REQUIRE(eventually([&] {
    in.clock.advance(1s);
    return in.script.opened().size() == 2;
  }));
  CHECK(in.script.opened().back() == "11");
}

TEST_CASE("where watchers give no position none is kept") {
  ScriptedInbox in;
  in.start();
  write_file(in.scratch / "a", "x");
  in.script.say(Touched{"a", Change::Written}, "");
  REQUIRE(eventually([&] { return in.sink.saw("a"); }));
  in.clock.advance(1min);
  in.root->request_rescan(Haste::Now);
  REQUIRE(eventually([&] { return in.sink.whole_scans() >= 2; }));
  in.root.reset();
  CHECK(in.sink.positions().empty());
}

TEST_CASE("a root that is polled keeps none and gives none away") {
  ScriptedInbox in("10");
  in.settings.poll = 10ms;
  in.start();
  write_file(in.scratch / "a", "x");
  REQUIRE(eventually([&] { return in.sink.saw("a"); }));
  in.root.reset();
  CHECK(in.script.opened().empty());
  CHECK(in.sink.positions().empty());
}

}  // namespace
}  // namespace millrace
