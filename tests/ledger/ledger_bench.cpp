// Not a test: how fast the ledger is. ledger_bench FOLDER [FILES [THREADS]]; ledger_bench FOLDER
// rows N fills a ledger with N delivered files and measures the calls that must not grow with it;
// ledger_bench FOLDER waiting N does it with N files that wait.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "agent/ledger/sqlite_ledger.hpp"
#include "tests/ledger/begin_attempt.hpp"

namespace {

using namespace millrace;
using Seconds = std::chrono::duration<double>;

const TargetSpec kTarget{"webp", "changethisfile"};
const std::string kDigest(64, 'a');

Candidate file(int n) {
  return {"photos", "2026/01/IMG_" + std::to_string(n) + ".png", 123456,
          "v1:2049:" + std::to_string(n) + ":1767225600123456789:1767225600123456789"};
}

template <typename T>
T must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return;
    } else {
      return std::move(*result);
    }
  }
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

void convert(Ledger& ledger, const Job& job, WallTime now) {
  const std::string stem = job.candidate.name.substr(0, job.candidate.name.size() - 4);
  const std::vector<NameChoice> names{{stem + ".webp", stem + ".webp"},
                                      {stem + ".png.webp", stem + ".png.webp"}};
  const Name name = must(ledger.reserve_name(job.id, "outbox", names));
  const int attempt = must(test::begin_attempt(
      ledger, {job.id, "0123456789abcdef0123456789abcdef", kDigest, 123456, false}, now));
  AttemptEnd end;
  end.http_status = 200;
  end.billing = Billing::Yes;
  must(ledger.end_attempt(job.id, attempt, end, now));
  OutputRecord output{job.id, "outbox", name, 4321, "", kDigest, job.candidate.version, kDigest};
  must(ledger.begin_delivery(job.id, output, name + ".tmp", now));
  output.version = "v1:2049:777:1767225600123456789";
  JobEnd done;
  done.output = output;
  const SourceSummary summary = must(ledger.finish(job.id, attempt, done, now));
  must(ledger.record_source_action(summary.row, "kept", now));
}

void admit_files(Ledger& ledger, int files, WallTime now) {
  std::vector<Candidate> chunk;
  for (int n = 0; n < files; ++n) {
    chunk.push_back(file(n));
    if (chunk.size() == 1000 || n == files - 1) {
      must(ledger.admit_all(chunk, std::span(&kTarget, 1), now));
      chunk.clear();
    }
  }
}

void print_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM")) std::printf("%s\n", line.c_str());
  }
}

void run(Ledger& ledger, int files, int threads, WallTime now) {
  admit_files(ledger, files, now);
  std::vector<std::jthread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&ledger, now] {
      while (true) {
        const auto jobs = must(ledger.claim("photos", Ledger::Lane::Fresh, 16, now));
        if (jobs.empty()) return;
        for (const Job& job : jobs) convert(ledger, job, now);
      }
    });
  }
}

template <typename Body>
void timed(const char* what, double per, Body body) {
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu = std::clock();
  body();
  const double wall = Seconds(std::chrono::steady_clock::now() - start).count();
  const double used = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  std::printf("%-28s %8.3f s wall, %8.3f s CPU; each %8.1f us wall, %6.1f us CPU; %8.0f/s\n", what,
              wall, used, wall / per * 1e6, used / per * 1e6, per / wall);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::filesystem::path path = std::filesystem::path(argv[1]) / "ledger.db";
  const WallTime now = SystemClock().wall_now();
  const bool waiting = argc > 3 && std::string(argv[2]) == "waiting";
  const bool rows = waiting || (argc > 3 && std::string(argv[2]) == "rows");
  const int files = rows ? std::atoi(argv[3]) : argc > 2 ? std::atoi(argv[2]) : 20000;
  const int threads = !rows && argc > 3 ? std::atoi(argv[3]) : 16;
  {
    const auto ledger = must(open_ledger({path, now}));
    timed(waiting ? "admit" : "admit to finish", files, [&] {
      if (waiting) {
        admit_files(*ledger, files, now);
      } else {
        run(*ledger, files, threads, now);
      }
      must(ledger->flush());
    });
    std::vector<Candidate> seen;
    for (int n = 0; n < std::min(files, 100000); ++n) seen.push_back(file(n));
    timed("look_up_all", static_cast<double>(seen.size()),
          [&] { (void)must(ledger->look_up_all(seen)); });
  }
  std::unique_ptr<Ledger> again;
  timed("open", 1, [&] { again = must(open_ledger({path, now})); });
  timed("claim 128", 1, [&] { (void)must(again->claim("photos", Ledger::Lane::Fresh, 128, now)); });
  timed("counts", 1, [&] { (void)must(again->counts()); });
  timed("healthy", 1, [&] { must(again->healthy()); });
  timed("pending_source_actions", 1, [&] { (void)must(again->pending_source_actions()); });
  const auto reader = must(open_ledger_reader(path));
  timed("counts_by_folder", 1, [&] { (void)must(reader->counts_by_folder()); });
  timed("latency", 1, [&] { (void)must(reader->latency("changethisfile", now)); });
  timed("prune, one piece", 1, [&] { (void)must(again->prune(now, 1)); });
  print_memory();
  std::printf("file %ju bytes\n", static_cast<std::uintmax_t>(std::filesystem::file_size(path)));
}
