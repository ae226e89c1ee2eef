#include "agent/watch/root.hpp"

#include <filesystem>
#include <fstream>

#include "agent/watch/pacer.hpp"
#include "agent/watch/version.hpp"
#include "tests/roots/cloud_file_system.hpp"
#include "tests/roots/recording_sink.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::eventually;
using test::RecordingSink;
using test::Scratch;
using test::write_file;

struct Watched {
  explicit Watched(const fs::path& inbox, RootSettings s = {}, Duration first_retry = 5ms,
                   FileSystem& files = real_file_system())
      : settings(std::move(s)) {
    settings.index = 7;
    settings.folder = "test";
    settings.inbox = inbox;
    settings.first_retry = first_retry;
    settings.longest_retry = 10 * first_retry;
    root = std::make_unique<FolderRoot>(settings, files, clock, sink);
    root->start();
  }
  bool scanned(std::size_t times = 1) {
    return eventually([&] { return sink.whole_scans() >= times; });
  }
  bool is(RootState state) {
    return eventually([&] { return root->health().state == state; });
  }
  void rescan() {
    const auto before = sink.whole_scans();
    root->request_rescan(Haste::Now);
    REQUIRE(scanned(before + 1));
  }
  // What the pipeline does once the ledger has the version.
  void acknowledge(const Name& name) {
    const auto info = real_file_system().open_directory(settings.inbox).value()->info(name).value();
    root->acknowledge(name, version_text(info, FileSystemNature::Local));
  }

  RootSettings settings;
  SystemClock clock;
  RecordingSink sink;
  std::unique_ptr<FolderRoot> root;
};

TEST_CASE("what is there at the start is found, what comes later is told with its evidence [B8]") {
  Scratch scratch;
  write_file(scratch / "old.png", "x");
  Watched watched(scratch.path());
  REQUIRE(watched.scanned());
  CHECK(watched.sink.last("old.png").why == Evidence::Found);
  CHECK(watched.sink.last("old.png").root == 7);
  CHECK(watched.sink.last("old.png").stamp.size == 1);
  write_file(scratch / "new.png", "x");
  // Windows does not tell of a close.
  const std::string how = watched.root->health().how;
  CHECK((how == "inotify" || how == "ReadDirectoryChangesW"));
  const Evidence written = how == "inotify" ? Evidence::Closed : Evidence::Written;
  CHECK(eventually([&] { return watched.sink.last("new.png").why == written; }));
  write_file(scratch / "in.part", "x");
  fs::rename(scratch / "in.part", scratch / "in.png");
  CHECK(eventually([&] { return watched.sink.last("in.png").why == Evidence::Moved; }));
  CHECK_FALSE(watched.sink.saw("in.part"));
}

TEST_CASE("a thousand folders made at once, and a tree moved in, are found whole [A14]") {
  Scratch outside;
  Scratch scratch;
  Watched watched(scratch.path());
  REQUIRE(watched.scanned());
  for (int i = 0; i < 1000; ++i) {
    fs::create_directories(scratch / (std::to_string(i) + "/b"));
    std::ofstream(scratch / (std::to_string(i) + "/b/f")) << "x";
    fs::create_directories(outside / ("tree/" + std::to_string(i)));
    std::ofstream(outside / ("tree/" + std::to_string(i) + "/g")) << "x";
  }
  fs::rename(outside / "tree", scratch / "tree");
  CHECK(eventually([&] { return watched.sink.count() == 2000; }, 60s));
}

TEST_CASE("a file that is removed is told as gone [A9]") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  Watched watched(scratch.path());
  REQUIRE(watched.scanned());
  fs::remove(scratch / "a");
  CHECK(eventually([&] { return watched.sink.saw_gone("a"); }));
}

TEST_CASE("a root that goes away is offline, nothing is gone, and it comes back whole [B6] [C3]") {
  Scratch scratch;
  const fs::path inbox = scratch / "inbox";
  fs::create_directory(inbox);
  for (int i = 0; i < 20; ++i) write_file(inbox / std::to_string(i), "x");
  Watched watched(inbox);
  REQUIRE(watched.scanned());
  fs::rename(inbox, scratch / "elsewhere");
  watched.root->request_probes({{7, "3"}});
  REQUIRE(watched.is(RootState::Offline));
  CHECK_FALSE(watched.root->health().why.empty());
  CHECK(watched.sink.gone_count() == 0);
  CHECK_FALSE(watched.sink.answer("3"));
  fs::rename(scratch / "elsewhere", inbox);
  REQUIRE(watched.is(RootState::Watching));
  CHECK(eventually([&] { return watched.sink.answer("3").has_value(); }));
  CHECK_FALSE(watched.sink.answer("3")->gone);
  write_file(inbox / "later", "x");
  CHECK(eventually([&] { return watched.sink.saw("later"); }));
}

TEST_CASE("a root that is not there at the start is waited for, and says so [I7]") {
  CHECK(RootHealth{}.state == RootState::Opening);
  CHECK(to_string(RootState::Opening) == "opening");
  CHECK(to_string(RootState::Stopped) == "stopped");
  Scratch scratch;
  Watched watched(scratch / "inbox");
  REQUIRE(watched.is(RootState::Offline));
  CHECK_FALSE(watched.root->health().why.empty());
  fs::create_directory(scratch / "inbox");
  write_file(scratch / "inbox/a", "x");
  CHECK(eventually([&] { return watched.sink.saw("a"); }));
}

TEST_CASE("a root that opens and cannot be listed is not tried without a pause [C3]") {
  Scratch scratch;
  test::CloudFileSystem files;
  files.is_listable = false;
  Watched patient(scratch.path(), {}, 1h, files);
  CHECK(eventually([&] { return patient.root->health().why == "the share fails"; }));
  CHECK_FALSE(eventually([&] { return files.times_opened > 1; }, 200ms));
  Watched watched(scratch.path(), {}, 5ms, files);
  CHECK(eventually([&] { return files.times_opened > 4; }));
  files.is_listable = true;
  CHECK(watched.is(RootState::Watching));
}

TEST_CASE("rescans pass over what is acknowledged until it changes [A3]") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  write_file(scratch / "b", "x");
  Watched watched(scratch.path());
  REQUIRE(watched.scanned());
  watched.acknowledge("a");
  watched.rescan();
  watched.rescan();
  CHECK(watched.sink.times("a") == 1);
  CHECK(watched.sink.times("b") == 3);
  watched.root->forget_acknowledged();
  watched.rescan();
  CHECK(watched.sink.times("a") == 2);
  watched.acknowledge("a");
  write_file(scratch / "a", "changed");
  CHECK(eventually([&] { return watched.sink.times("a") > 2; }));
  fs::remove(scratch / "a");
  fs::remove(scratch / "b");
  watched.rescan();
  CHECK(watched.root->health().acknowledged == 0);
}

TEST_CASE("what the ledger knows is not reported") {
  Scratch scratch;
  write_file(scratch / "known", "x");
  write_file(scratch / "new", "x");
  RecordingSink sink;
  sink.know("known");
  SystemClock clock;
  RootSettings settings;
  settings.inbox = scratch.path();
  FolderRoot root(settings, real_file_system(), clock, sink);
  root.start();
  REQUIRE(eventually([&] { return sink.whole_scans() == 1; }));
  CHECK(sink.saw("new"));
  CHECK_FALSE(sink.saw("known"));
  CHECK(root.health().acknowledged == 1);
}

TEST_CASE("links, FIFOs and folders that are too deep are refused once, with a reason [K1] [K3]") {
  Scratch scratch;
  if (!test::plant_link(scratch / "link", "/etc/passwd", test::LinkTo::File) ||
      !test::plant_fifo(scratch / "fifo")) {
    return test::not_shown_here("links and FIFOs");
  }
  Watched watched(scratch.path());
  REQUIRE(watched.scanned());
  watched.rescan();
  CHECK(watched.sink.refusal("link").find("link") != std::string::npos);
  CHECK(watched.sink.refusal("fifo").find("FIFO") != std::string::npos);
  CHECK(watched.sink.refusals() == 2);
  CHECK(watched.sink.count() == 0);
  CHECK(watched.root->health().refused == 2);
}

TEST_CASE("a root can be polled by wish, and says so [C1]") {
  Scratch scratch;
  RootSettings settings;
  settings.poll = 20ms;
  Watched watched(scratch.path(), settings);
  REQUIRE(watched.scanned());
  CHECK(watched.root->health().how.starts_with("polling every 20 ms ("));
  CHECK(watched.root->health().nature == RootNature::LocalPolled);
  write_file(scratch / "a", "x");
  CHECK(eventually([&] { return watched.sink.saw("a"); }));
  CHECK(watched.sink.last("a").why == Evidence::Found);
}

TEST_CASE("a rescan runs without being asked [B7]") {
  Scratch scratch;
  RootSettings settings;
  settings.rescan_every = 20ms;
  Watched watched(scratch.path(), settings);
  CHECK(watched.scanned(3));
}

TEST_CASE("a probe tells stamp, writer, end mark and marker [A1] [A4]") {
  Scratch scratch;
  write_file(scratch / "cut.jpg", std::string("\xFF\xD8\xFF\xE0", 4));
  write_file(scratch / "whole.gif", "GIF89a;");
  write_file(scratch / "whole.gif.ready", "");
  std::ofstream writing(scratch / "open.bin");
  writing << "x" << std::flush;
  RootSettings settings;
  settings.names.ready_marker = "{name}.ready";
  Watched watched(scratch.path(), settings);
  watched.root->request_probes({{7, "cut.jpg"}, {7, "whole.gif"}, {7, "open.bin"}, {7, "no"}});
  REQUIRE(eventually([&] { return watched.sink.answer("no").has_value(); }));
  CHECK(watched.sink.answer("no")->gone);
  CHECK(watched.sink.answer("cut.jpg")->end_mark == EndMark::Missing);
  CHECK_FALSE(watched.sink.answer("cut.jpg")->marker_present);
  CHECK(watched.sink.answer("whole.gif")->end_mark == EndMark::Present);
  CHECK(watched.sink.answer("whole.gif")->marker_present);
  CHECK(watched.sink.answer("whole.gif")->stamp.size == 7);
  CHECK_FALSE(watched.sink.answer("whole.gif")->version.empty());
  CHECK(watched.sink.answer("open.bin")->writer == WriterTest::Open);
  CHECK(watched.sink.answer("open.bin")->refusal.empty());
}

TEST_CASE("a scan without room waits, while probes and events go on [D1] [D2]") {
  Scratch scratch;
  for (int i = 0; i < 3000; ++i) std::ofstream(scratch / std::to_string(i)) << "x";
  RecordingSink sink;
  sink.room = false;
  SystemClock clock;
  RootSettings settings;
  settings.inbox = scratch.path();
  FolderRoot root(settings, real_file_system(), clock, sink);
  root.start();
  root.request_probes({{0, "1"}});
  CHECK(eventually([&] { return sink.answer("1").has_value(); }));
  write_file(scratch / "event", "x");
  CHECK(eventually([&] { return sink.saw("event"); }));
  CHECK(sink.whole_scans() == 0);
  sink.room = true;
  root.wake();
  CHECK(eventually([&] { return sink.whole_scans() == 1 && sink.count() == 3001; }));
  CHECK(sink.largest() <= RootSink::kMostObservations);
}

TEST_CASE("stopping is prompt in every state [I1]") {
  Scratch scratch;
  for (int i = 0; i < 2000; ++i) std::ofstream(scratch / std::to_string(i)) << "x";
  const int way = GENERATE(0, 1, 2);
  Watched watched(way == 0 ? scratch / "no" : scratch.path());
  watched.sink.room = way != 1;
  if (way == 2) REQUIRE(watched.scanned());
  watched.root->request_stop();
  CHECK(watched.root->wait_stopped(std::chrono::steady_clock::now() + 5s));
  CHECK(watched.root->health().state == RootState::Stopped);
}

TEST_CASE("scans are paced by what the last one cost [B4]") {
  Pacer pacer(500);
  const TimePoint start{1h};
  pacer.want(start);
  CHECK(pacer.is_due(start));
  pacer.begin();
  pacer.end(start, 10ms);
  for (int i = 0; i < 100; ++i) pacer.want(start + i * 50ms);
  CHECK_FALSE(pacer.is_due(start + 4999ms));
  CHECK(pacer.due() == start + 5s);
  pacer.want_now(start + 1s);
  CHECK(pacer.is_due(start + 1s));
}

}  // namespace
}  // namespace millrace
