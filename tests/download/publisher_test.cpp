#include "agent/download/publisher.hpp"

#include "platform/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr const char* kTemporary = ".millrace-fetch-0123456789abcdef.tmp";

FileRecord publishing(std::string_view bytes) {
  FileRecord record;
  record.key = "k";
  record.state = FileState::Publishing;
  record.name = "f";
  record.temporary = kTemporary;
  record.size = bytes.size();
  record.sha256 = to_hex(sha256(bytes));
  return record;
}

}  // namespace

TEST_CASE("a run that was killed while it published is made good, whole or not at all [P5]") {
  const Scratch scratch;
  auto folder = real_file_system().open_directory(scratch.path());
  REQUIRE(folder);
  const auto recovered = [&] {
    auto record = recover(**folder, publishing("whole"));
    REQUIRE(record);
    CHECK_FALSE(std::filesystem::exists(scratch / kTemporary));
    return *record;
  };
  SECTION("before the rename") {
    write_file(scratch / kTemporary, "whole");
    CHECK(recovered().state == FileState::Done);
    CHECK(read_file(scratch / "f") == "whole");
    CHECK(still_ours(**folder, recovered()));
  }
  SECTION("after the rename") {
    write_file(scratch / "f", "whole");
    CHECK(recovered().state == FileState::Done);
  }
  SECTION("with bytes that a power cut took") {
    write_file(scratch / kTemporary, "wholf");
    CHECK(recovered().state == FileState::Named);
    CHECK_FALSE(std::filesystem::exists(scratch / "f"));
  }
  SECTION("where somebody else's file lies by now") {
    write_file(scratch / kTemporary, "whole");
    write_file(scratch / "f", "else");
    CHECK(recovered().state == FileState::Named);
    CHECK(read_file(scratch / "f") == "else");
  }
}

TEST_CASE("a refresh that was killed before its rename is finished, or made again [P5]") {
  const Scratch scratch;
  auto folder = real_file_system().open_directory(scratch.path());
  REQUIRE(folder);
  write_file(scratch / "f", "before");
  FileRecord record = publishing("whole");
  record.etag = "\"new\"";
  record.mtime_ns = (*folder)->info("f")->mtime_ns;
  SECTION("with all its bytes") {
    write_file(scratch / kTemporary, "whole");
    const auto recovered = recover(**folder, record);
    REQUIRE(recovered);
    CHECK(recovered->state == FileState::Done);
    CHECK(recovered->etag == "\"new\"");
    CHECK(read_file(scratch / "f") == "whole");
  }
  SECTION("with bytes that a power cut took: what lies there is still ours, and of no version") {
    write_file(scratch / kTemporary, "wholf");
    const auto recovered = recover(**folder, record);
    REQUIRE(recovered);
    CHECK(recovered->state == FileState::Done);
    CHECK(recovered->etag.empty());
    CHECK(still_ours(**folder, *recovered));
    CHECK(read_file(scratch / "f") == "before");
    CHECK_FALSE(std::filesystem::exists(scratch / kTemporary));
  }
  SECTION("over a file that somebody changed meanwhile: it is left alone") {
    write_file(scratch / kTemporary, "whole");
    record.mtime_ns -= 1;
    const auto recovered = recover(**folder, record);
    REQUIRE(recovered);
    CHECK(recovered->state == FileState::Named);
    CHECK(read_file(scratch / "f") == "before");
  }
}

TEST_CASE("what a ledger was told lasts once it was committed") {
  const Scratch scratch;
  FileRecord record = publishing("x");
  {
    auto ledger = FileLedger::open(scratch / "l.db", FileLedger::Durable::Yes);
    REQUIRE(ledger);
    CHECK((*ledger)->reserve(record, "f") == true);
    FileRecord other = record;
    other.key = "other";
    CHECK((*ledger)->reserve(other, "f") == false);
    CHECK((*ledger)->put(record));
    CHECK((*ledger)->commit());
    other.name = "g";
    CHECK((*ledger)->reserve(other, "g") == true);
  }
  auto ledger = FileLedger::open(scratch / "l.db", FileLedger::Durable::Yes);
  REQUIRE(ledger);
  const auto found = (*ledger)->find("k");
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->state == FileState::Publishing);
  CHECK((*found)->name == "f");
  CHECK((*found)->sha256 == record.sha256);
  CHECK_FALSE((*ledger)->find("other")->has_value());
  CHECK((*ledger)->temporaries() == std::vector<std::string>{kTemporary});
}
