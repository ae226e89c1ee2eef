#include <random>

#include "tests/settle/settle_replay.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

struct Trace {
  const char* writer;
  Name name;
  std::vector<Step> steps;
  int bound_ms;  // after the last change, with events
};

// Traces of real writers, as inotifywait saw them.
const std::vector<Trace> kTraces{
    {"mv", "a.pdf", {{100, Act::MoveIn, 900}}, 5},
    {"cp",
     "a.pdf",
     {{100, Act::Create, 0}, {110, Act::Write, 500}, {400, Act::Write, 900}, {405, Act::Close}},
     2005},
    {"ImageMagick",
     "a.png",
     {{100, Act::Create, 0}, {101, Act::Close}, {350, Act::Write, 900}, {352, Act::Close}},
     305},
    {"darktable",
     "a.jpg",
     {{100, Act::Create, 0},
      {150, Act::Write, 900},
      {160, Act::Close},
      {200, Act::Write, 950},
      {201, Act::Close},
      {230, Act::Write, 990},
      {231, Act::Close}},
     305},
    {"LibreOffice",
     "a.pdf",
     {{100, Act::Create, 0}, {101, Act::Close}, {300, Act::Write, 900}, {310, Act::Close}},
     2005},
    {"ocrmypdf",
     "a.pdf",
     {{100, Act::Create, 0},
      {101, Act::Close},
      {900, Act::Delete},
      {905, Act::Create, 0},
      {910, Act::Write, 900},
      {930, Act::Close}},
     2005},
    {"scanimage --batch", "out1.pnm", {{100, Act::MoveIn, 900}}, 5},
    {"rsync", "a.png", {{100, Act::MoveIn, 900}, {100, Act::Attrib}}, 505},
    {"unzip",
     "a.png",
     {{100, Act::Create, 0}, {110, Act::Write, 900}, {111, Act::Close}, {112, Act::Attrib}},
     505},
    {"smbd",
     "a.pdf",
     {{100, Act::Create, 0},
      {101, Act::Attrib},
      {150, Act::Write, 400},
      {900, Act::Write, 900},
      {901, Act::Attrib},
      {902, Act::Close}},
     2005},
    {"scanner, page by page",
     "a.pdf",
     {{100, Act::Create, 0},
      {200, Act::Write, 300},
      {201, Act::Close},
      {1900, Act::Write, 600},
      {1901, Act::Close},
      {3600, Act::Write, 900},
      {3601, Act::Close}},
     2005},
    {"preallocated, then filled",
     "a.jpg",
     {{100, Act::Create, 900}, {600, Act::Write, 900}, {1500, Act::Write, 900}, {1600, Act::Close}},
     305},
};

struct Sight {
  const char* how;
  bool events;
  int poll_ms;
  RootNature nature;
  WriterTest proof;
  int extra_ms;  // to the bound
};
const std::vector<Sight> kSights{
    {"events", true, 0, RootNature::LocalEvents, WriterTest::None, 0},
    {"events and rescans", true, 250, RootNature::LocalEvents, WriterTest::None, 0},
    {"events, no lease", true, 0, RootNature::LocalEvents, WriterTest::Unknown, 2000},
    {"polls", false, 1000, RootNature::LocalPolled, WriterTest::None, 7000},
    {"polls of a share", false, 1000, RootNature::Remote, WriterTest::Unknown, 7000},
};

}  // namespace

TEST_CASE(
    "every recorded writer's file is handed on once, whole and in time [A1] [A2] [A4] [A6] [A13]") {
  for (const Trace& trace : kTraces) {
    for (const Sight& sight : kSights) {
      CAPTURE(trace.writer, sight.how);
      const World world(trace.steps);
      const Replayed result = Replay(world, {.name = trace.name,
                                             .nature = sight.nature,
                                             .when_closed = sight.proof,
                                             .poll_ms = sight.poll_ms,
                                             .events = sight.events,
                                             .until_ms = 30'000})
                                  .run();
      // rsync's mtime comes in the same instant as its rename; the two may count as two versions.
      REQUIRE(result.handed.size() == 1);
      CHECK(result.handed[0].at_ms >= world.last_change());
      CHECK(result.handed[0].at_ms <= world.last_change() + trace.bound_ms + sight.extra_ms);
      CHECK(result.handed[0].settled.candidate.size ==
            900 + (std::string(trace.writer) == "darktable") * 90u);
      CHECK(result.shelved == 0);
      CHECK(result.too_early.empty());
      CHECK(result.probes < 40);
    }
  }
}

TEST_CASE("a file is handed on too early only after a gap longer than its quiet time [A1] [A2]") {
  std::mt19937 random(7);
  const auto up_to = [&](int most) {
    return static_cast<int>(random() % static_cast<unsigned>(most));
  };
  int early = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Step> steps{{100, Act::Create, 0}};
    int longest_gap = 0;
    const int writes = 1 + up_to(8);
    for (int i = 0, at = 100; i < writes; ++i) {
      const int gap = 20 + up_to(3000);
      longest_gap = std::max(longest_gap, gap);
      at += gap;
      steps.push_back({at, Act::Write, 100 * (i + 1)});
      if (up_to(2) == 0) steps.push_back({at + 5, Act::Close});
    }
    steps.push_back({steps.back().at_ms + 5, Act::Close});
    const World world(steps);
    const bool proof = up_to(2) == 0;
    for (const Sight& sight : kSights) {
      CAPTURE(round, sight.how, longest_gap);
      const Replayed result =
          Replay(world, {.name = "a.pdf",
                         .nature = sight.nature,
                         .when_closed = proof ? sight.proof : WriterTest::Unknown,
                         .poll_ms = sight.poll_ms,
                         .events = sight.events,
                         .has_end_mark = false,
                         .until_ms = 60'000})
              .run();
      REQUIRE_FALSE(result.handed.empty());
      CHECK(result.handed.back().settled.candidate.size == 100u * static_cast<unsigned>(writes));
      CHECK(result.handed.back().settled.candidate.version ==
            std::to_string(world.at(60'000).stamp.changed_ns));
      // No writer is open and the shortest quiet time is 500 ms; an empty file is not handed on.
      if (result.handed.size() > 1) CHECK(longest_gap >= 500);
      CHECK(result.too_early.size() + 1 == result.handed.size());
      early += static_cast<int>(result.handed.size() > 1);
    }
  }
  CHECK(early > 0);  // the schedules are hard enough to tell
}
