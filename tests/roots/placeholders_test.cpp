#include "agent/watch/placeholders.hpp"

#include "agent/watch/local_source.hpp"
#include "agent/watch/root.hpp"
#include "agent/watch/version.hpp"
#include "tests/roots/cloud_file_system.hpp"
#include "tests/roots/recording_sink.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::CloudFileSystem;
using test::CloudSign;
using test::eventually;
using test::RecordingSink;
using test::Scratch;
using test::write_file;

constexpr TimePoint kStart{1h};

struct Drive {
  Drive() {
    settings.inbox = scratch.path();
    settings.gather_placeholders = 50ms;
  }
  void put(const Name& name) { write_file(scratch / name, "GIF89a;"); }
  void put_away(const Name& name, CloudSign sign) {
    cloud.send_away(name, sign);
    put(name);
  }
  void start() {
    root = std::make_unique<FolderRoot>(settings, cloud, clock, sink);
    root->start();
    REQUIRE(eventually([&] { return sink.whole_scans() >= 1; }));
  }
  void rescan() {
    const auto before = sink.whole_scans();
    root->request_rescan(Haste::Now);
    REQUIRE(eventually([&] { return sink.whole_scans() > before; }));
  }
  ProbeAnswer probe(const Name& name) {
    root->request_probes({{0, name}});
    REQUIRE(eventually([&] { return sink.answer(name).has_value(); }));
    return *sink.answer(name);
  }

  Scratch scratch;
  CloudFileSystem cloud;
  SystemClock clock;
  RecordingSink sink;
  RootSettings settings;
  std::unique_ptr<FolderRoot> root;
};

TEST_CASE("files whose bytes are in a cloud are left out unread, with one warning [A15]") {
  Drive drive;
  for (int i = 0; i < 100; ++i) drive.put_away(std::to_string(i) + ".gif", CloudSign::Stat);
  drive.put("here.gif");
  drive.start();
  REQUIRE(eventually([&] { return !drive.sink.cloud_warnings().empty(); }));
  drive.rescan();
  drive.rescan();
  CHECK(drive.sink.saw("here.gif"));
  CHECK(drive.sink.count() == 1);
  CHECK(drive.sink.refusals() == 0);
  CHECK(drive.cloud.reads() == 0);
  CHECK(drive.root->is_in_cloud("7.gif"));
  CHECK_FALSE(drive.root->is_in_cloud("here.gif"));
  REQUIRE(drive.sink.cloud_warnings().size() == 1);
  CHECK(drive.sink.cloud_warnings()[0].files == 100);
  // An event that a touch makes changes nothing.
  write_file(drive.scratch / "7.gif", "GIF89a;;");
  write_file(drive.scratch / "last.gif", "GIF89a;");
  REQUIRE(eventually([&] { return drive.sink.saw("last.gif"); }));
  CHECK_FALSE(drive.sink.saw("7.gif"));
}

TEST_CASE("a file that only its reading shows to be in a cloud is left out as well [A15]") {
  Drive drive;
  drive.put_away("a.gif", CloudSign::Read);
  drive.start();
  REQUIRE(drive.sink.saw("a.gif"));
  const ProbeAnswer answer = drive.probe("a.gif");
  CHECK(answer.gone);
  CHECK(answer.refusal.empty());
  REQUIRE(eventually([&] { return !drive.sink.cloud_warnings().empty(); }));
  CHECK(drive.sink.cloud_warnings()[0].example == "a.gif");
}

TEST_CASE("a file whose bytes come back is taken by the next scan [A15]") {
  Drive drive;
  drive.put_away("a.gif", CloudSign::Stat);
  drive.start();
  CHECK_FALSE(drive.sink.saw("a.gif"));
  drive.cloud.bring_back("a.gif");
  drive.rescan();
  CHECK(drive.sink.saw("a.gif"));
  CHECK_FALSE(drive.probe("a.gif").gone);
  CHECK_FALSE(drive.root->is_in_cloud("a.gif"));
}

TEST_CASE("a warning that is due when the root stops is given, not lost [A15]") {
  Drive drive;
  drive.settings.gather_placeholders = 1h;
  drive.put_away("a.gif", CloudSign::Stat);
  drive.start();
  drive.root.reset();
  CHECK(drive.sink.cloud_warnings().size() == 1);
}

TEST_CASE("bytes that leave between settling and sending give the file back unpaid [A15]") {
  Drive drive;
  drive.put("a.gif");
  auto source = make_local_source(
      {"f", drive.scratch.path(), drive.scratch / "archive", drive.scratch / "failed"},
      drive.cloud);
  const auto info = real_file_system().open_directory(drive.scratch.path()).value()->info("a.gif");
  const Candidate candidate{"f", "a.gif", info->size, version_text(*info, FileSystemNature::Local)};
  auto reader = source->open(candidate);
  REQUIRE(reader);
  drive.cloud.send_away("a.gif", CloudSign::Read);
  std::byte into[16];
  CHECK((*reader)->read(into).error().kind == ErrorKind::Changed);
  drive.cloud.send_away("a.gif", CloudSign::Stat);
  CHECK(source->open(candidate).error().kind == ErrorKind::Changed);
}

TEST_CASE("the warning says how many, why, and what to do [A15]") {
  const std::string many = to_text({12, "a\n.gif"});
  CHECK(many.find("12 files are in the cloud only (such as a") == 0);
  CHECK(many.find('\n') == std::string::npos);
  CHECK(many.find("would download") != std::string::npos);
  CHECK(many.find("\"Always keep on this device\"") != std::string::npos);
  CHECK(to_text({1, "a"}).find("1 file is ") == 0);
}

TEST_CASE("it is told again only when there are twice as many, or some after none [A15]") {
  Placeholders placeholders(10s);
  CHECK_FALSE(placeholders.take_due(kStart));
  for (int i = 0; i < 50; ++i) placeholders.saw(std::to_string(i), kStart + i * 100ms);
  CHECK(placeholders.due() == kStart + 10s);
  CHECK_FALSE(placeholders.take_due(kStart + 9s));
  CHECK(placeholders.take_due(kStart + 10s)->files == 50);
  for (int i = 0; i < 99; ++i) placeholders.saw(std::to_string(i), kStart + 1min);
  CHECK_FALSE(placeholders.due());
  placeholders.saw("99", kStart + 2min);
  CHECK(placeholders.take_due(kStart + 3min)->files == 100);
  for (int i = 0; i < 100; ++i) placeholders.forget(std::to_string(i));
  placeholders.saw("0", kStart + 4min);
  CHECK(placeholders.due());
}

TEST_CASE("what no scan finds any more is not counted, and memory has a bound [A15] [D1]") {
  Placeholders placeholders(10s);
  placeholders.begin_scan();
  placeholders.saw("stays", kStart);
  placeholders.saw("goes", kStart);
  placeholders.begin_scan();
  CHECK(placeholders.count() == 2);
  placeholders.saw("stays", kStart);
  placeholders.begin_scan();
  CHECK(placeholders.count() == 1);
  for (std::size_t i = 0; i < 2 * Placeholders::kMost; ++i) {
    placeholders.saw(std::to_string(i), kStart);
  }
  CHECK(placeholders.count() == Placeholders::kMost);
  CHECK(to_text({placeholders.count(), "a"}).starts_with("at least 10000 files"));
}

}  // namespace
}  // namespace millrace
