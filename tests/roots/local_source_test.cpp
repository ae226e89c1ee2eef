#include "agent/watch/local_source.hpp"

#include <unistd.h>

#include <filesystem>

#include "agent/watch/shelf.hpp"
#include "agent/watch/version.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;
using test::read_file;
using test::Scratch;
using test::write_file;

struct Inbox {
  explicit Inbox(fs::path archive_at = {}) {
    fs::create_directories(scratch / "inbox/sub");
    archive = archive_at.empty() ? scratch / "archive" : archive_at;
    source = make_local_source({"f", scratch / "inbox", archive, scratch / "failed"},
                               real_file_system());
  }
  Candidate candidate(const Name& name) {
    const auto info =
        real_file_system().open_directory(scratch / "inbox").value()->info(name).value();
    return {"f", name, info.size, version_text(info, FileSystemNature::Local)};
  }
  Candidate put(const Name& name, std::string_view bytes) {
    write_file(scratch / ("inbox/" + name), bytes);
    return candidate(name);
  }
  bool holds(const Name& name) { return fs::exists(scratch / ("inbox/" + name)); }

  Scratch scratch;
  fs::path archive;
  std::unique_ptr<Source> source;
};

std::string all_of(SourceReader& reader) {
  std::string text(100, '\0');
  text.resize(reader.read(std::as_writable_bytes(std::span(text))).value());
  return text;
}

TEST_CASE("a candidate is read, rewound and found unchanged") {
  Inbox inbox;
  const Candidate candidate = inbox.put("sub/a", "hello");
  auto reader = inbox.source->open(candidate);
  REQUIRE(reader);
  CHECK((*reader)->size() == 5);
  CHECK(all_of(**reader) == "hello");
  CHECK(all_of(**reader).empty());
  REQUIRE((*reader)->rewind());
  CHECK(all_of(**reader) == "hello");
  CHECK((*reader)->check_unchanged());
}

TEST_CASE("a change, a replacement and a removal under a reader are told [A7] [A8] [A9]") {
  Inbox inbox;
  const Candidate candidate = inbox.put("a", "hello");
  auto reader = inbox.source->open(candidate);
  REQUIRE(reader);
  const int way = GENERATE(0, 1, 2);
  if (way == 0) write_file(inbox.scratch / "inbox/a", "other bytes");
  if (way == 1) {
    write_file(inbox.scratch / "b", "hello");
    std::error_code refused;
    fs::rename(inbox.scratch / "b", inbox.scratch / "inbox/a", refused);
    if (refused) return test::not_shown_here("an open file is not replaced");
  }
  if (way == 2) {
    fs::remove(inbox.scratch / "inbox/a");
    if (inbox.holds("a")) return test::not_shown_here("an open file goes when it is closed");
  }
  const auto unchanged = (*reader)->check_unchanged();
  REQUIRE_FALSE(unchanged);
  CHECK((unchanged.error().kind == ErrorKind::Changed ||
         unchanged.error().kind == ErrorKind::Vanished));
  const ErrorKind kind = way == 2 ? ErrorKind::Vanished : ErrorKind::Changed;
  CHECK(inbox.source->open(candidate).error().kind == kind);
  CHECK(inbox.source->check(candidate).error().kind == kind);
  CHECK(inbox.source->remove(candidate).error().kind == kind);
  CHECK(inbox.source->shelve(candidate, Shelf::Archive, "").error().kind == kind);
  CHECK(inbox.holds("a") == (way != 2));
  CHECK_FALSE(fs::exists(inbox.archive / "a"));
}

TEST_CASE("a link is input, an inbox that is away is the environment [K1] [C4]") {
  Inbox inbox;
  Candidate candidate = inbox.put("a", "x");
  if (test::plant_link(inbox.scratch / "inbox/link", "/etc/passwd", test::LinkTo::File)) {
    Candidate link = candidate;
    link.name = "link";
    CHECK(inbox.source->open(link).error().kind == ErrorKind::Input);
  } else {
    test::not_shown_here("links");
  }
  REQUIRE(inbox.source->check(candidate));
  fs::rename(inbox.scratch / "inbox", inbox.scratch / "away");
  CHECK(inbox.source->check(candidate).error().kind == ErrorKind::Environment);
  CHECK(inbox.source->open(candidate).error().kind == ErrorKind::Environment);
  fs::rename(inbox.scratch / "away", inbox.scratch / "inbox");
  CHECK(inbox.source->check(candidate));
}

TEST_CASE("a second hard link is refused where everybody may write [K2]") {
  Inbox inbox;
  write_file(inbox.scratch / "secret", "x");
  fs::create_hard_link(inbox.scratch / "secret", inbox.scratch / "inbox/a");
  CHECK(inbox.source->open(inbox.candidate("a")));
  test::set_readers(inbox.scratch / "inbox", test::Readers::Everybody);  // Windows: writers as well
  fs::permissions(inbox.scratch / "inbox", fs::perms::all);
  auto open_to_all = make_local_source(
      {"f", inbox.scratch / "inbox", inbox.archive, inbox.scratch / "failed"}, real_file_system());
  CHECK(open_to_all->open(inbox.candidate("a")).error().kind == ErrorKind::Input);
  CHECK(open_to_all->open(inbox.put("b", "x")));
}

TEST_CASE("removing takes exactly that version") {
  Inbox inbox;
  const Candidate candidate = inbox.put("sub/a", "x");
  REQUIRE(inbox.source->remove(candidate));
  CHECK_FALSE(inbox.holds("sub/a"));
}

TEST_CASE("a shelved file keeps its folder, a taken name gets a number, the note comes last") {
  Inbox inbox;
  for (const char* bytes : {"first", "second"}) {
    const Candidate candidate = inbox.put("sub/a.png", bytes);
    REQUIRE(inbox.source->shelve(candidate, Shelf::Archive, ""));
    CHECK_FALSE(inbox.holds("sub/a.png"));
  }
  CHECK(read_file(inbox.archive / "sub/a.png") == "first");
  CHECK(read_file(inbox.archive / "sub/a (2).png") == "second");
  const auto where = inbox.source->shelve(inbox.put("b.png", "x"), Shelf::Quarantine, "{}");
  REQUIRE(where);
  CHECK(read_file(*where) == "x");
  CHECK(read_file(*where + ".error.json") == "{}");
}

TEST_CASE("what a crash cut off between move and note is ended later [F12] [G6]") {
  Inbox inbox;
  const Candidate candidate = inbox.put("sub/a.png", "moved");
  REQUIRE(inbox.source->finish_shelving(candidate, Shelf::Quarantine, "why"));  // nothing to end
  CHECK(inbox.holds("sub/a.png"));
  const fs::path where = *inbox.source->shelve(candidate, Shelf::Quarantine, "why");
  const fs::path note = where.string() + ".error.json";
  const fs::path own = where.parent_path() / ".millrace-shelf-0123456789abcdef.tmp";
  const fs::path other = where.parent_path() / ".millrace-shelf-b-0123456789abcdef.tmp";
  fs::rename(note, own);
  write_file(other, "another agent's");
  REQUIRE(inbox.source->finish_shelving(candidate, Shelf::Quarantine, "why"));
  CHECK(read_file(note) == "why");
  CHECK_FALSE(fs::exists(own));
  CHECK(fs::exists(other));
  REQUIRE(inbox.source->finish_shelving(candidate, Shelf::Quarantine, "why"));
  CHECK(fs::exists(note));
  CHECK_FALSE(fs::exists(where.parent_path() / "a.png (2).error.json"));
}

TEST_CASE("a temporary removed from a shelf is not back after a power cut [G3] [F12]") {
  test::ForgetfulFileSystem files;
  const Name temporary = ".millrace-shelf-0123456789abcdef.tmp";
  files.make_directory("/no/inbox").value();
  auto shelf = files.make_directory("/no/archive").value();
  test::put(*shelf, temporary, "half");
  shelf->sync_directory("").value();
  const auto source = make_local_source({"f", "/no/inbox", "/no/archive", "/no/failed"}, files);
  REQUIRE(source->finish_shelving({"f", "a", 1, "v"}, Shelf::Archive, ""));
  files.cut_power({});
  CHECK(test::names_in(*files.open_directory("/no/archive").value()).empty());
}

TEST_CASE("across devices a file is copied, compared and then removed [F10]") {
  const fs::path second = fs::absolute("/dev/shm");  // under Wine it lies on drive Z
  if (!fs::is_directory(second)) FAIL("this test needs /dev/shm as a second file system");
  const fs::path other = second / ("millrace-test-" + std::to_string(::getpid()));
  {
    Inbox inbox(other);
    const std::string big(600'000, 'b');
    auto where = inbox.source->shelve(inbox.put("sub/a.png", big), Shelf::Archive, "");
    INFO((where ? "" : where.error().message));
    REQUIRE(where);
    CHECK(read_file(*where) == big);
    CHECK_FALSE(inbox.holds("sub/a.png"));
    where = inbox.source->shelve(inbox.put("sub/a.png", "2"), Shelf::Archive, "why");
    REQUIRE(where);
    CHECK(read_file(other / "sub/a (2).png") == "2");
    CHECK(read_file(other / "sub/a (2).png.error.json") == "why");
    int files = 0;
    for (const auto& entry : fs::directory_iterator(other / "sub")) files += entry.exists() ? 1 : 0;
    CHECK(files == 3);
  }
  fs::remove_all(other);
}

TEST_CASE("numbers go before the extension, and a name stays within its length [F9]") {
  CHECK(numbered("d/a.png", 2) == "d/a (2).png");
  CHECK(numbered(".hidden", 3) == ".hidden (3)");
  CHECK(numbered(std::string(251, 'n') + ".png", 2).size() == 255);
}

}  // namespace
}  // namespace millrace
