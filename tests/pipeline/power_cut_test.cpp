// The power goes at every change that a whole job makes, of a file, of the ledger and in the world
// outside, and the disks keep of unsynced things what they like. After each cut the agent starts
// again and ends the job: nothing is lost, nothing half-written shows, nothing is billed twice.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "tests/pipeline/whole_job.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

// What the two disks keep, together and one without the other.
constexpr std::array kWays{
    Kept{{Unsynced::Lost, Unsynced::Lost}, Unwritten::Lost},
    Kept{{Unsynced::Kept, Unsynced::Kept}, Unwritten::Kept},
    Kept{{Unsynced::Lost, Unsynced::Lost}, Unwritten::Kept},
    Kept{{Unsynced::Kept, Unsynced::Kept}, Unwritten::Lost},
    Kept{{Unsynced::Kept, Unsynced::Half}, Unwritten::Torn},
    Kept{{Unsynced::Kept, Unsynced::Lost}, Unwritten::Scattered},
};

// All cuts take minutes, so that each tenth is made unless all are asked for (MILLRACE_LONG=1);
// which ones differs from way to way.
constexpr std::uint64_t kUsualStride = 10;
std::uint64_t stride() {
  const char* asked = std::getenv("MILLRACE_LONG");
  return asked != nullptr && std::string_view(asked) == "1" ? 1 : kUsualStride;
}

// The second cut falls somewhere into these.
constexpr std::uint64_t kChangesOfRestart = 60;

// A job that makes fewer was not counted whole.
constexpr std::uint64_t kFewestChanges = 60;

struct Toll {
  int cuts = 0;
  std::uint64_t changes = 0;  // of the longest first run
  std::vector<std::string> problems;
};

using Prepare = std::function<void(WholeJob&)>;

// Cut at the n-th change, and, if `again` is not 0, at that change of the next start, too. False
// once the job came to its end before.
bool cut_once(WholeJob& job, const Kept& kept, std::uint64_t n, std::uint64_t again, Toll& toll) {
  const std::uint64_t before = job.changes();
  job.lose_power_at(n);
  job.run();
  ++toll.cuts;
  toll.changes = std::max(toll.changes, job.changes() - before);
  const bool was_cut = job.power_is_off();
  job.cut_power(kept);
  job.check_safe();
  if (was_cut && again != 0) {
    job.lose_power_at(again);
    job.run();
    job.cut_power(kept);
    job.check_safe();
  }
  job.run();
  job.check_finished();
  return was_cut;
}

Toll cut_everywhere(
    const JobPlan& plan, const Prepare& prepare = [](WholeJob&) {}, std::uint64_t agains = 0) {
  Toll toll;
  for (std::size_t way = 0; way < kWays.size(); ++way) {
    bool was_cut = true;
    for (std::uint64_t n = 1 + (3 * way) % stride(); was_cut; n += stride()) {
      WholeJob job(plan);
      prepare(job);
      was_cut = cut_once(job, kWays[way], n, agains == 0 ? 0 : 1 + (7 * n) % agains, toll);
      for (const std::string& problem : job.problems())
        toll.problems.push_back("way " + std::to_string(way) + ", cut at " + std::to_string(n) +
                                ": " + problem);
      if (!toll.problems.empty()) return toll;
    }
  }
  return toll;
}

void check_no_cut_harms(const JobPlan& plan, std::uint64_t agains = 0) {
  const Toll toll = cut_everywhere(plan, [](WholeJob&) {}, agains);
  UNSCOPED_INFO(toll.cuts << " cuts, " << toll.changes << " changes");
  CHECK(toll.problems == std::vector<std::string>{});
  CHECK(toll.changes > kFewestChanges);
}

}  // namespace

TEST_CASE("a power cut at any change of a job whose source is kept [G3] [G4] [G5] [F12]") {
  check_no_cut_harms({});
}

TEST_CASE("a power cut at any change of the first job of a new ledger [G3] [J3]") {
  check_no_cut_harms({.ledger = LedgerBefore::None});
}

TEST_CASE("a power cut at any change of a job whose source is archived [G3] [G6]") {
  check_no_cut_harms({.after = AfterSuccess::Archive});
}

TEST_CASE("a power cut at any change of a job whose source is deleted [G3]") {
  check_no_cut_harms({.after = AfterSuccess::Delete});
}

TEST_CASE("a power cut at any change of a job that ends in quarantine [G3] [E1]") {
  check_no_cut_harms({.after = AfterSuccess::Delete, .answer = Answer::Refusal});
}

TEST_CASE("a power cut at any change of a job whose first answer is cut short [G3] [E12] [F12]") {
  check_no_cut_harms({.answer = Answer::CutShortOnce});
}

TEST_CASE("a power cut at any change of a job with two targets [G3] [G4]") {
  check_no_cut_harms({.after = AfterSuccess::Archive, .targets = {"webp", "pdf"}});
}

TEST_CASE("a power cut at any change, and the file is replaced while it is sent [G3] [A7]") {
  check_no_cut_harms({.replaced = Replaced::WhileSent});
}

TEST_CASE("a power cut at any change, and the file is replaced after it was billed [G3] [A8]") {
  const auto after = GENERATE(AfterSuccess::Keep, AfterSuccess::Archive, AfterSuccess::Delete);
  check_no_cut_harms({.after = after, .replaced = Replaced::AfterBilled});
}

TEST_CASE("a second power cut while the agent starts again [G3] [G4] [F12]") {
  check_no_cut_harms({.after = AfterSuccess::Archive}, kChangesOfRestart);
}

TEST_CASE("a second power cut while a quarantine is taken up again [G3] [G6]") {
  check_no_cut_harms({.answer = Answer::Refusal}, kChangesOfRestart);
}

TEST_CASE("a file system that does not sync its directories is found out (control) [G3]") {
  const Toll toll = cut_everywhere({.after = AfterSuccess::Delete},
                                   [](WholeJob& job) { job.files().lie_about_directories(); });
  CHECK_FALSE(toll.problems.empty());
}

TEST_CASE("a database that is not synced is found out (control) [G3] [G5]") {
  const Toll toll = cut_everywhere({}, [](WholeJob& job) { job.database().lie_about_syncs(); });
  CHECK_FALSE(toll.problems.empty());
}
