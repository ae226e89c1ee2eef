#include "agent/download/publisher.hpp"

#include <functional>
#include <span>

#include "agent/ledger/sqlite.hpp"
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

// A file with a record of its own, ready to be published.
ReadyFile finished(Directory& folder, FileLedger& ledger, const std::string& name) {
  ReadyFile ready;
  ready.record = publishing("whole");
  ready.record.key = ready.record.name = name;
  REQUIRE(ledger.reserve(ready.record, name) == true);
  auto file = AtomicFile::begin(folder, name, "fetch", Access::Shared);
  REQUIRE(file);
  REQUIRE((*file)->write(std::as_bytes(std::span(std::string_view("whole")))));
  REQUIRE((*file)->finish());
  ready.record.temporary = (*file)->temporary_name();
  ready.file = std::move(*file);
  return ready;
}

// A folder out of which somebody takes each file as soon as it is there.
class TakenFolder final : public Directory {
 public:
  explicit TakenFolder(std::unique_ptr<Directory> real) : real_(std::move(real)) {}
  Result<FileInfo> info(const std::string& name) override { return real_->info(name); }
  Result<std::unique_ptr<InputFile>> open(const std::string& name) override {
    return real_->open(name);
  }
  Result<void> list(const std::string& directory,
                    const std::function<Visit(const Entry&)>& visit) override {
    return real_->list(directory, visit);
  }
  Result<std::unique_ptr<NewFile>> create(const std::string& name, Access access) override {
    return real_->create(name, access);
  }
  Result<void> make_directories(const std::string& name) override {
    return real_->make_directories(name);
  }
  Result<void> publish(const std::string& from, const std::string& to) override {
    if (auto put = real_->publish(from, to); !put) return put;
    return real_->remove(to);
  }
  Result<void> replace(const std::string& from, const std::string& to) override {
    return real_->replace(from, to);
  }
  Result<void> remove(const std::string& name) override { return real_->remove(name); }
  Result<void> sync_directory(const std::string& name) override {
    return real_->sync_directory(name);
  }
  Result<Space> space() override { return real_->space(); }
  Result<bool> takes_files(const std::string& directory) override {
    return real_->takes_files(directory);
  }
  Result<bool> still_there() override { return real_->still_there(); }
  const std::string& mount_kind() const override { return real_->mount_kind(); }
  const std::filesystem::path& path() const override { return real_->path(); }

 private:
  const std::unique_ptr<Directory> real_;
};

}  // namespace

TEST_CASE("a file that the next folder takes before it is on record is on record all the same") {
  const Scratch scratch;
  auto real = real_file_system().open_directory(scratch.path());
  REQUIRE(real);
  TakenFolder folder(std::move(*real));
  auto ledger = FileLedger::open(scratch / "downloads.db", FileLedger::Durable::Yes);
  REQUIRE(ledger);
  ReadyFile ready = finished(folder, **ledger, "f");
  bool well = false;
  ready.then = [&](const Result<void>& end) { well = end.has_value(); };
  {
    Publisher publisher(folder, **ledger, FileLedger::Durable::Yes);
    publisher.push(std::move(ready));
  }
  CHECK(well);
  const auto found = (*ledger)->find("f");
  REQUIRE((found && *found));
  CHECK((*found)->state == FileState::Done);
  CHECK((*found)->mtime_ns != 0);
}

TEST_CASE("the end of a file is committed, whether another follows or not") {
  const Scratch scratch;
  auto folder = real_file_system().open_directory(scratch.path());
  REQUIRE(folder);
  auto ledger = FileLedger::open(scratch / "downloads.db", FileLedger::Durable::Yes);
  REQUIRE(ledger);
  auto reader = sqlite::Database::open(scratch / "downloads.db", sqlite::Access::Read,
                                       std::chrono::seconds{10});
  REQUIRE(reader);
  const auto committed = [&] {
    return reader->integer("SELECT count(*) FROM file WHERE state = 3").value_or(-1);
  };
  std::vector<ReadyFile> files;
  for (int i = 0; i < 2 * static_cast<int>(Publisher::kEnough); ++i) {
    files.push_back(finished(**folder, **ledger, "f" + std::to_string(i)));
    files.back().then = [](const Result<void>& end) { CHECK(end); };
  }
  Publisher publisher(**folder, **ledger, FileLedger::Durable::Yes);
  publisher.push(std::move(files[0]));
  CHECK(eventually([&] { return committed() == 1; }));
  for (std::size_t i = 1; i < files.size(); ++i) publisher.push(std::move(files[i]));
  CHECK(eventually([&] { return committed() == static_cast<int>(files.size()); }));
}

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

TEST_CASE("bytes whose SHA-256 nobody asked for are known by their size and time [P5]") {
  const Scratch scratch;
  auto folder = real_file_system().open_directory(scratch.path());
  REQUIRE(folder);
  FileRecord record = publishing("whole");
  record.sha256.clear();
  const bool renamed = GENERATE(true, false);
  const std::string place = renamed ? "f" : kTemporary;
  write_file(scratch / place, "whole");
  record.made_ns = (*folder)->info(place)->mtime_ns;
  SECTION("ours") {
    const auto recovered = recover(**folder, record);
    REQUIRE(recovered);
    CHECK(recovered->state == FileState::Done);
    CHECK(recovered->sha256.empty());
    CHECK(still_ours(**folder, *recovered));
  }
  SECTION("of another time") {
    record.made_ns -= 1;
    CHECK(recover(**folder, record)->state == FileState::Named);
    CHECK(std::filesystem::exists(scratch / "f") == renamed);
  }
  SECTION("of another size") {
    record.size += 1;
    CHECK(recover(**folder, record)->state == FileState::Named);
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

TEST_CASE("a name is kept for its line until it is written down or given back") {
  const Scratch scratch;
  auto opened = FileLedger::open(scratch / "l.db", FileLedger::Durable::Yes);
  REQUIRE(opened);
  FileLedger& ledger = **opened;
  const FileRecord one = publishing("x");
  FileRecord other = one;
  other.key = "other";
  CHECK(ledger.reserve(one, "f") == true);
  CHECK(ledger.reserve(one, "f") == true);
  ledger.release("nobody's");
  CHECK(ledger.reserve(other, "f") == false);
  ledger.release(one.key);
  CHECK(ledger.reserve(other, "f") == true);
  CHECK(ledger.put(one).error().kind == ErrorKind::Input);
  CHECK(ledger.put(other));
  ledger.release(other.key);
  CHECK(ledger.reserve(one, "f") == false);
}

TEST_CASE("a record whose name was never kept is not taken for written") {
  const Scratch scratch;
  auto ledger = FileLedger::open(scratch / "l.db", FileLedger::Durable::Yes);
  REQUIRE(ledger);
  FileRecord record = publishing("x");
  CHECK((*ledger)->put(record).error().kind == ErrorKind::Input);
  REQUIRE((*ledger)->reserve(record, "f") == true);
  CHECK((*ledger)->put(record));
}
