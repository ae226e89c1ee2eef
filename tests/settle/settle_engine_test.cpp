#include "agent/settle/settle_engine.hpp"

#include <cstdlib>
#include <new>

#include "tests/settle/settle_replay.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const Stamp kStamp{100, 5, 5, 1};

Observation seen(const Name& name, Evidence why, Stamp stamp = kStamp, Duration age = {}) {
  return {0, name, stamp, why, age.count(), false};
}
ProbeAnswer fine(const Name& name, WriterTest writer = WriterTest::None, Stamp stamp = kStamp) {
  return {.root = 0, .name = name, .stamp = stamp, .writer = writer, .version = "v"};
}

// One file "a.png" or another, answered as told whenever it is due, until handed on or the end.
struct Bench {
  SettleEngine engine;
  TimePoint now = ms(0);

  explicit Bench(SettleRules rules = {}) { engine.set_rules(0, std::move(rules)); }
  // Milliseconds until it was handed on, or -1.
  int settles_after(const ProbeAnswer& answer, Duration most = minutes{2}) {
    const TimePoint begin = now;
    while (const auto due = engine.next_deadline()) {
      if (*due - begin > most) break;
      now = std::max(now, *due);
      for (const auto& request : engine.take_probes(now)) {
        ++probes;
        ProbeAnswer one = answer;
        one.name = request.name;
        engine.answer(one, now);
      }
      if (!engine.take_settled().empty()) {
        return static_cast<int>((now - begin) / milliseconds{1});
      }
    }
    return -1;
  }
  int probes = 0;
};

struct Row {
  const char* rule;
  Evidence why;
  Name name;
  RootNature nature;
  WriterTest writer;
  Duration age;
  int ms;
};

}  // namespace

TEST_CASE("the quiet time follows the evidence [A1] [A6] [A13]") {
  const auto events = RootNature::LocalEvents;
  const auto polled = RootNature::LocalPolled;
  const auto remote = RootNature::Remote;
  const auto none = WriterTest::None;
  const auto unknown = WriterTest::Unknown;
  const std::vector<Row> rows{
      {"moved", Evidence::Moved, "a.pdf", events, unknown, {}, 0},
      {"moved on a share", Evidence::Moved, "a.pdf", remote, unknown, {}, 0},
      {"closed image", Evidence::Closed, "d/A.JPG", events, none, {}, 300},
      {"closed image, no lease", Evidence::Closed, "a.png", events, unknown, {}, 300},
      {"closed PDF", Evidence::Closed, "a.pdf", events, none, {}, 2000},
      {"closed TIFF", Evidence::Closed, "a.tif", events, none, {}, 2000},
      {"closed, no type", Evidence::Closed, "x.png/a", events, none, {}, 2000},
      {"written", Evidence::Written, "a.png", events, none, {}, 500},
      {"written, no lease", Evidence::Written, "a.png", events, unknown, {}, 2000},
      {"found", Evidence::Found, "a.pdf", polled, none, {}, 500},
      {"found on a share", Evidence::Found, "a.pdf", remote, unknown, {}, 20000},
      {"old", Evidence::Found, "a.pdf", events, none, seconds{11}, 0},
      {"old, no lease", Evidence::Found, "a.pdf", events, unknown, seconds{11}, 2000},
      {"old on a share", Evidence::Found, "a.pdf", remote, none, seconds{11}, 20000},
      {"from the future", Evidence::Found, "a.pdf", events, none, seconds{-900}, 500},
      {"written, old clock", Evidence::Written, "a.pdf", events, none, seconds{11}, 500},
  };
  for (const Row& row : rows) {
    CAPTURE(row.rule);
    Bench bench({.nature = row.nature});
    REQUIRE(bench.engine.observe(seen(row.name, row.why, kStamp, row.age), bench.now));
    CHECK(bench.settles_after(fine(row.name, row.writer)) == row.ms);
    CHECK(bench.engine.waiting(0) == 0);
  }
}

TEST_CASE("time in which nobody looked does not count as quiet [B9]") {
  Bench bench;
  REQUIRE(bench.engine.observe(seen("a.pdf", Evidence::Closed), bench.now));
  REQUIRE(bench.engine.observe(seen("b.png", Evidence::Closed), bench.now));
  bench.now += milliseconds{100};
  bench.engine.stood_still(minutes{8});
  bench.now += minutes{8};
  CHECK(bench.engine.take_probes(bench.now).empty());
  CHECK(bench.settles_after(fine("")) == 200);   // the image, of 300
  CHECK(bench.settles_after(fine("")) == 1700);  // the document, of 2000
}

TEST_CASE("settings override the quiet time, and what was learnt is a minimum") {
  Bench fixed({.fixed_quiet = seconds{3}});
  fixed.engine.observe(seen("a", Evidence::Moved), fixed.now);
  CHECK(fixed.settles_after(fine("a")) == 3000);
  Bench learnt({.learnt_quiet = seconds{7}});
  learnt.engine.observe(seen("a.png", Evidence::Closed), learnt.now);
  CHECK(learnt.settles_after(fine("a.png")) == 7000);
  learnt.engine.observe(seen("b.png", Evidence::Moved), learnt.now);
  CHECK(learnt.settles_after(fine("b.png")) == 0);
}

TEST_CASE(
    "a file that is open for writing is asked for ever more rarely, and never handed on [A1]") {
  Bench bench;
  bench.engine.observe(seen("a", Evidence::Moved), bench.now);
  CHECK(bench.settles_after(fine("a", WriterTest::Open), minutes{1}) == -1);
  CHECK(bench.probes > 10);
  CHECK(bench.probes < 20);
  CHECK(bench.engine.explain(0, "a", bench.now)->starts_with("open for writing"));
}

TEST_CASE("a missing end mark costs ten seconds, then it passes") {
  Bench bench;
  bench.engine.observe(seen("a.pdf", Evidence::Closed), bench.now);
  ProbeAnswer cut = fine("a.pdf");
  cut.end_mark = EndMark::Missing;
  CHECK(bench.settles_after(cut, seconds{5}) == -1);
  CHECK(bench.engine.explain(0, "a.pdf", bench.now)->starts_with("looks unfinished: no %%EOF yet"));
  CHECK(bench.settles_after(cut) == 8000);
}

TEST_CASE("a ready marker is waited for, and seen at once when its file is observed again") {
  Bench bench({.has_marker = true});
  bench.engine.observe(seen("a", Evidence::Moved), bench.now);
  ProbeAnswer unready = fine("a");
  unready.marker_present = false;
  CHECK(bench.settles_after(unready, minutes{1}) == -1);
  bench.engine.observe(seen("a", Evidence::Found), bench.now);
  CHECK(bench.settles_after(fine("a")) == 0);
}

TEST_CASE("an empty file is shelved after ten seconds, once, and never handed on [A10]") {
  Bench bench;
  const Stamp empty{0, 5, 5, 1};
  bench.engine.observe(seen("a", Evidence::Closed, empty), bench.now);
  CHECK(bench.settles_after(fine("a", WriterTest::None, empty)) == -1);
  CHECK(bench.now == ms(10'000));
  const auto shelved = bench.engine.take_shelved();
  REQUIRE(shelved.size() == 1);
  CHECK(shelved[0].reason == "empty");
  bench.engine.observe(seen("a", Evidence::Found, empty), bench.now + seconds{1});
  CHECK(bench.engine.waiting(0) == 0);
  bench.engine.observe(seen("a", Evidence::Closed), bench.now + seconds{2});
  CHECK(bench.settles_after(fine("a")) == 4000);
  CHECK(bench.engine.take_too_early().empty());
}

TEST_CASE("a file that cannot be read waits with its reason, without a hot loop [A12]") {
  Bench bench;
  bench.engine.observe(seen("a.png", Evidence::Closed), bench.now);
  ProbeAnswer refused = fine("a.png");
  refused.refusal = "Permission denied";
  CHECK(bench.settles_after(refused, minutes{30}) == -1);
  CHECK(bench.probes < 15);
  CHECK(bench.engine.explain(0, "a.png", bench.now)->find("Permission denied") !=
        std::string::npos);
  Stamp after_chmod = kStamp;
  after_chmod.changed_ns = 9;
  bench.engine.observe(seen("a.png", Evidence::Written, after_chmod), bench.now);
  CHECK(bench.settles_after(fine("a.png", WriterTest::None, after_chmod)) == 500);
}

TEST_CASE(
    "a stamp that differs from what was observed starts quiet again; gone is forgotten [A9]") {
  Bench bench;
  bench.engine.observe(seen("a.png", Evidence::Closed), bench.now);
  const Stamp grown{200, 6, 6, 1};
  CHECK(bench.settles_after(fine("a.png", WriterTest::None, grown)) == 800);
  bench.engine.observe(seen("b", Evidence::Moved), bench.now);
  ProbeAnswer gone = fine("b");
  gone.gone = true;
  CHECK(bench.settles_after(gone) == -1);
  CHECK(bench.engine.waiting(0) == 0);
}

TEST_CASE("an answer that is older than the last event proves nothing [A7]") {
  Bench bench;
  bench.engine.observe(seen("a.png", Evidence::Moved), bench.now);
  REQUIRE(bench.engine.take_probes(bench.now).size() == 1);
  bench.engine.observe(seen("a.png", Evidence::Closed, {200, 6, 6, 1}), bench.now);
  bench.engine.answer(fine("a.png"), bench.now);
  CHECK(bench.engine.take_settled().empty());
  CHECK(bench.settles_after(fine("a.png", WriterTest::None, {200, 6, 6, 1})) == 300);
}

TEST_CASE("events that come again with the same stamp hand nothing on again [A3]") {
  Bench bench;
  bench.engine.observe(seen("a.png", Evidence::Closed), bench.now);
  REQUIRE(bench.settles_after(fine("a.png")) == 300);
  bench.engine.observe(seen("a.png", Evidence::Closed), bench.now + seconds{6});
  CHECK(bench.engine.waiting(0) == 0);
  bench.engine.forget_handed_on(0, "a.png");
  bench.engine.observe(seen("a.png", Evidence::Closed), bench.now + seconds{7});
  CHECK(bench.engine.waiting(0) == 1);
}

TEST_CASE("a folder that was too early learns twice the gap, at most a minute [A2]") {
  Bench bench({.folder = "scans"});
  bench.engine.observe(seen("a.pdf", Evidence::Closed), bench.now);
  REQUIRE(bench.settles_after(fine("a.pdf")) == 2000);
  bench.now += seconds{1};
  bench.engine.observe(seen("a.pdf", Evidence::Written, {200, 6, 6, 1}), bench.now);
  const auto early = bench.engine.take_too_early();
  REQUIRE(early.size() == 1);
  CHECK(early[0].gap == seconds{3});
  CHECK(early[0].minimum == seconds{6});
  CHECK(bench.settles_after(fine("a.pdf", WriterTest::None, {200, 6, 6, 1})) == 6000);
  CHECK(bench.engine.changed_late(0, seconds{45}) == seconds{60});
  // A chmod, and another file under the name, teach nothing.
  bench.engine.observe(seen("b", Evidence::Moved), bench.now);
  REQUIRE(bench.settles_after(fine("b")) == 0);
  bench.engine.observe(seen("b", Evidence::Moved, {900, 9, 9, 2}), bench.now);
  CHECK(bench.engine.take_too_early().empty());
}

TEST_CASE("an overdue file is told once, with its reason, also while its probe is out [C2]") {
  Bench bench;
  bench.engine.observe(seen("a.png", Evidence::Closed), bench.now);
  bench.engine.take_probes(bench.now + seconds{1});
  CHECK(bench.engine.take_overdue(bench.now + minutes{9}).empty());
  const auto overdue = bench.engine.take_overdue(bench.now + minutes{11});
  REQUIRE(overdue.size() == 1);
  CHECK(overdue[0].reason == "being looked at by its folder");
  CHECK(bench.engine.take_overdue(bench.now + minutes{12}).empty());
}

namespace {
std::size_t allocated = 0;
constexpr std::size_t kHeader = 16;
}  // namespace
void* operator new(std::size_t size) {
  auto* block = static_cast<std::size_t*>(std::malloc(size + kHeader));
  if (block == nullptr) throw std::bad_alloc();
  *block = size + kHeader;
  allocated += *block;
  return reinterpret_cast<char*>(block) + kHeader;
}
// A sanitizer has its own, which would not fit the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  auto* block = reinterpret_cast<std::size_t*>(static_cast<char*>(pointer) - kHeader);
  allocated -= *block;
  std::free(block);
}
void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }

TEST_CASE("50,000 files fit in well under 20 MB, one more is refused, all come out [A14] [D1]") {
  const std::size_t before = allocated;
  SettleEngine engine;
  engine.set_rules(0, {});
  const auto name = [](std::size_t i) {
    std::string text = std::to_string(i);
    return std::string(60 - text.size(), 'n') + text;
  };
  for (std::size_t i = 0; i < SettleEngine::kMostFiles; ++i) {
    REQUIRE(engine.observe(seen(name(i), Evidence::Written), ms(static_cast<int>(i % 1000))));
  }
  CHECK(allocated - before < 16'000'000);
  CHECK_FALSE(engine.observe(seen("one more", Evidence::Moved), ms(1000)));
  std::size_t settled = 0;
  while (engine.next_deadline()) {
    const auto probes = engine.take_probes(ms(5000));
    CHECK(probes.size() <= SettleEngine::kMostProbes);
    for (const auto& probe : probes) engine.answer(fine(probe.name), ms(5000));
    settled += engine.take_settled().size();
  }
  CHECK(settled == SettleEngine::kMostFiles);
  CHECK(engine.waiting(0) == 0);
}
