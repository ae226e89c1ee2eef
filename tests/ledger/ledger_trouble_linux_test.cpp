// Disks that are full, files that are changed beneath a running ledger.
#include <cstdlib>
#include <fstream>

#include "agent/ledger/sqlite.hpp"
#include "tests/ledger/ledger_support.hpp"

namespace millrace::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// A small disk of its own; only root may make one.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path at) : at_(std::move(at)) {
    fs::create_directory(at_);
    mounted_ =
        std::system(
            ("mount -t tmpfs -o size=512k tmpfs '" + at_.string() + "' 2> /dev/null").c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) (void)!std::system(("umount '" + at_.string() + "'").c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  void fill() const {
    std::ofstream file(at_ / "filler", std::ios::binary);
    const std::string page(1024, 'x');
    while (file.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
  }
  void empty() const { fs::remove(at_ / "filler"); }

 private:
  fs::path at_;
  bool mounted_ = false;
};

TEST_CASE("on a full disk no attempt begins, and with space all goes on [J2]") {
  const Scratch scratch;
  const SmallDisk disk(scratch / "disk");
  if (!disk.mounted()) FAIL("this test needs root: it mounts a small disk");
  const auto path = scratch / "disk" / "ledger.db";
  auto ledger = opened(path);
  admit(*ledger, candidate("first.png"));
  REQUIRE(deliver(*ledger, claim_one(*ledger)));
  admit(*ledger, candidate("second.png"));
  const Job job = claim_one(*ledger);
  disk.fill();
  int begun = 1;
  Result<int> attempt = 0;
  for (int i = 0; i < 2000; ++i) {
    attempt = begin_attempt(*ledger, start_of(job), kNow);
    if (!attempt) break;
    ++begun;
    // Fills what the file system still has, whether or not it is written.
    (void)ledger->remember(std::to_string(i), std::string(2000, 'v'));
    (void)ledger->flush();
  }
  REQUIRE_FALSE(attempt);
  CHECK(attempt.error().kind == ErrorKind::Environment);
  CHECK(begin_attempt(*ledger, start_of(job), kNow).error().kind == ErrorKind::Environment);
  CHECK(*ledger->attempts_billed_since("api", kNow) == begun);
  CHECK(*ledger->look_up(candidate("first.png")) == Known::Done);

  disk.empty();
  CHECK(eventually([&] { return begin_attempt(*ledger, start_of(job), kNow).has_value(); }));
  CHECK(*ledger->attempts_billed_since("api", kNow) == begun + 1);
  CHECK(ledger->healthy());
  ledger.reset();
  ledger = opened(path);
  CHECK(ledger->rebuilt_because().empty());
  CHECK(*ledger->look_up(candidate("first.png")) == Known::Done);
  CHECK(*ledger->attempts_billed_since("api", kNow) == begun + 1);
}

// A root passes over what the ledger says that it knows, for as long as the file lies there.
TEST_CASE("what the ledger says that it knows is on disk [J2] [P2]") {
  const Scratch scratch;
  const SmallDisk disk(scratch / "disk");
  if (!disk.mounted()) FAIL("this test needs root: it mounts a small disk");
  const auto ledger = opened(scratch / "disk" / "ledger.db");
  disk.fill();
  int refused = 0;
  for (int i = 0; i < 300 && refused < 10; ++i) {
    const Candidate one = candidate(std::to_string(i) + std::string(200, 'n'));
    CHECK(ledger->admit(one, std::span(&kWebp, 1), kNow));  // written later, or not
    const auto told = ledger->look_up(one);
    (void)ledger->flush();
    const auto there = ledger->look_up(one);
    REQUIRE(there);
    if (told) CHECK(*told == *there);
    refused += *there == Known::New ? 1 : 0;
  }
  CHECK(refused == 10);
}

TEST_CASE("the end of a job that cannot be written is written later, with its attempt [J2]") {
  const Scratch scratch;
  const SmallDisk disk(scratch / "disk");
  if (!disk.mounted()) FAIL("this test needs root: it mounts a small disk");
  const auto path = scratch / "disk" / "ledger.db";
  auto ledger = opened(path);
  admit(*ledger, candidate("a.png"));
  const Job job = claim_one(*ledger);
  REQUIRE(reserve(*ledger, job));
  const int attempt = *begin_attempt(*ledger, start_of(job), kNow);
  const OutputRecord output = output_of(job, "a.webp");
  REQUIRE(ledger->begin_delivery(job.id, output, ".tmp", kNow));
  disk.fill();
  while (ledger->remember("filler", std::string(2000, 'v')) && ledger->flush()) {
  }
  AttemptEnd end;
  end.http_status = 200;
  end.billing = Billing::Yes;
  JobEnd delivered;
  delivered.output = output;
  REQUIRE(ledger->end_attempt(job.id, attempt, end, kNow));
  REQUIRE(ledger->finish_and_keep(job.id, attempt, delivered, kNow));
  CHECK(ledger->flush().error().kind == ErrorKind::Environment);

  disk.empty();
  SECTION("by itself") {
    const auto reader = open_ledger_reader(path);
    REQUIRE(reader);
    CHECK(eventually([&] { return (*(*reader)->counts_by_folder())["photos"].delivered == 1; }));
  }
  SECTION("when the ledger is closed at once") { ledger.reset(); }
  ledger.reset();
  ledger = opened(path);
  CHECK((*ledger->counts())["photos"].delivered == 1);
  CHECK(*ledger->look_up(candidate("a.png")) == Known::Done);
  CHECK(ledger->pending_source_actions()->empty());
  CHECK(ledger->interrupted_deliveries()->empty());
  ledger.reset();
  auto database = sqlite::Database::open(path, sqlite::Access::Read, 1s);
  CHECK(*database->integer("SELECT status FROM attempt") == 200);
}

TEST_CASE(
    "a file that is removed or replaced beneath us is noticed, with or without a write [J4]") {
  const Scratch scratch;
  const auto path = scratch / "ledger.db";
  const auto wal = scratch / "ledger.db-wal";
  const bool existed = GENERATE(true, false);
  if (existed) opened(path).reset();
  const auto ledger = opened(path);
  CHECK(ledger->healthy());
  const bool written = GENERATE(true, false);
  if (written) {
    admit(*ledger, candidate("a.png"));
    REQUIRE(ledger->flush());
    CHECK(ledger->healthy());
  }
  switch (GENERATE(0, 1, 2, 3)) {
    case 0:
      fs::remove(wal);
      break;
    case 1:
      fs::rename(wal, scratch / "other-wal");
      fs::copy_file(scratch / "other-wal", wal);
      break;
    case 2:
      fs::remove(path);
      break;
    default:
      fs::rename(path, scratch / "other.db");
      write_file(path, "another file");
  }
  CHECK(ledger->healthy().error().kind == ErrorKind::Environment);
}

}  // namespace
}  // namespace millrace::test
