// Times that a file server gives: before 1970, far ahead, whole seconds.
#include "agent/watch/local_source.hpp"
#include "agent/watch/root.hpp"
#include "agent/watch/version.hpp"
#include "tests/roots/recording_sink.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Scratch;
using test::set_mtime;
using test::write_file;

FileInfo info_of(const Scratch& scratch, const Name& name) {
  return real_file_system().open_directory(scratch.path()).value()->info(name).value();
}

struct Time {
  std::int64_t seconds;
  long ns;
};

TEST_CASE("a file is found, read and told from its next version whatever its times say [C6]") {
  const Time time = GENERATE(values<Time>({{-86'400, 0},
                                           {0, 0},
                                           {1'000'000'000, 0},
                                           {4'102'444'800, 999'999'999},
                                           {7'000'000'000, 0}}));
  const auto nature = GENERATE(FileSystemNature::Local, FileSystemNature::Network);
  CAPTURE(time.seconds);
  const Scratch scratch;
  write_file(scratch / "a", "first");
  set_mtime(scratch / "a", time.seconds, time.ns);
  const std::string version = version_text(info_of(scratch, "a"), nature);
  CHECK(version == version_text(info_of(scratch, "a"), nature));
  // Two seconds later, at the coarsest, and another size within the same two.
  set_mtime(scratch / "a", time.seconds + 2, time.ns);
  CHECK(version != version_text(info_of(scratch, "a"), nature));
  write_file(scratch / "a", "second");
  set_mtime(scratch / "a", time.seconds, time.ns);
  CHECK(version != version_text(info_of(scratch, "a"), nature));
}

TEST_CASE("a source opens and reads a file of another time, and sees it change [C6]") {
  const std::int64_t seconds = GENERATE(-86'400, 0, 7'000'000'000);
  const Scratch scratch;
  write_file(scratch / "a", "bytes");
  set_mtime(scratch / "a", seconds, 0);
  auto source = make_local_source({"f", scratch.path(), scratch / "archive", scratch / "failed"},
                                  real_file_system());
  const auto info = info_of(scratch, "a");
  auto reader = source->open({"f", "a", info.size, version_text(info, FileSystemNature::Local)});
  REQUIRE(reader);
  CHECK((*reader)->check_unchanged());
  set_mtime(scratch / "a", seconds + 2, 0);
  CHECK((*reader)->check_unchanged().error().kind == ErrorKind::Changed);
}

TEST_CASE("a clock ahead of ours makes an age negative, never old [C6]") {
  FileInfo info;
  info.changed_ns = 3'600'000'000'000;
  CHECK(change_age_ns(info, from_unix_ms(0)) == -3'600'000'000'000);
  CHECK(change_age_ns(info, from_unix_ms(7'200'000)) == 3'600'000'000'000);
  info.changed_ns = 0;  // this system has none
  CHECK(change_age_ns(info, from_unix_ms(7'200'000)) == 0);
}

TEST_CASE("a root finds files of every time, and a rescan sees only what changed [C6]") {
  const Scratch scratch;
  const std::int64_t times[] = {-86'400, 0, 7'000'000'000};
  for (const std::int64_t time : times) {
    write_file(scratch / std::to_string(time), "x");
    set_mtime(scratch / std::to_string(time), time, 0);
  }
  test::RecordingSink sink;
  const SystemClock clock;
  RootSettings settings;
  settings.inbox = scratch.path();
  FolderRoot root(settings, real_file_system(), clock, sink);
  root.start();
  REQUIRE(eventually([&] { return sink.whole_scans() == 1; }));
  for (const std::int64_t time : times) {
    CHECK(sink.last(std::to_string(time)).stamp.mtime_ns == time * 1'000'000'000);
    root.acknowledge(std::to_string(time),
                     version_text(info_of(scratch, std::to_string(time)), FileSystemNature::Local));
  }
  root.request_rescan(Haste::Now);
  REQUIRE(eventually([&] { return sink.whole_scans() == 2; }));
  for (const std::int64_t time : times) CHECK(sink.times(std::to_string(time)) == 1);
}

}  // namespace
}  // namespace millrace
