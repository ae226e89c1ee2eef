#include "agent/deliver/upload_note.hpp"

#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

const Name kTemporary = ".millrace-test-7-0123456789abcdef.tmp";

struct Spool {
  Scratch scratch;
  std::unique_ptr<Directory> folder = real_file_system().open_directory(scratch.path()).value();
  void write(const Name& name, const std::string& text) const {
    std::ofstream(scratch.path() / name, std::ios::binary) << text;
  }
};

}  // namespace

TEST_CASE("a note tells the upload of its file and key until it is forgotten [N8]") {
  Spool spool;
  const std::string key = "out/a\nb ü%.webp";
  CHECK_FALSE(UploadNote(*spool.folder, kTemporary, key).recall().value());
  REQUIRE(UploadNote(*spool.folder, kTemporary, key).remember("u/1+\n=="));
  REQUIRE(UploadNote(*spool.folder, kTemporary, key).remember("u2\n=="));
  CHECK(UploadNote(*spool.folder, kTemporary, key).recall().value() == "u2\n==");
  CHECK_FALSE(UploadNote(*spool.folder, kTemporary, "out/b").recall().value());
  REQUIRE(UploadNote(*spool.folder, kTemporary, key).forget());
  REQUIRE(UploadNote(*spool.folder, kTemporary, key).forget());
  CHECK_FALSE(UploadNote(*spool.folder, kTemporary, key).recall().value());
}

TEST_CASE("a note whose file is gone tells of an orphan, one that is torn of nothing [N8]") {
  Spool spool;
  const Name other = ".millrace-test-8-0123456789abcdef.tmp";
  const Name torn = ".millrace-test-9-0123456789abcdef.tmp";
  spool.write(kTemporary, "result");
  REQUIRE(UploadNote(*spool.folder, kTemporary, "out/a").remember("u1"));
  REQUIRE(UploadNote(*spool.folder, other, "out/b").remember("u2"));
  spool.write(torn + ".upload", "out/c");
  spool.write("somebody's.upload", "out/d\nu3\n");
  const auto orphans = orphaned_uploads(*spool.folder);
  REQUIRE(orphans);
  REQUIRE(orphans->size() == 1);
  CHECK(orphans->front().temporary == other);
  CHECK(orphans->front().key == "out/b");
  CHECK(spool.folder->info("somebody's.upload"));
  CHECK_FALSE(spool.folder->info(torn + ".upload"));
  CHECK(UploadNote(*spool.folder, kTemporary, "out/a").recall().value() == "u1");
}
