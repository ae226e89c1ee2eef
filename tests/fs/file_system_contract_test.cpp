// What every FileSystem promises, tested on the real one and on the forgetful one.
#include <algorithm>

#include "platform/base/text.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using Names = std::vector<std::string>;

#define ON_EACH_FILE_SYSTEM                                               \
  AnyFileSystem world(GENERATE(Which::Real, Which::Forgetful));           \
  INFO((world.is_real() ? "real file system" : "forgetful file system")); \
  auto box = world.open()

TEST_CASE("a file that was made can be read, listed and looked at") {
  ON_EACH_FILE_SYSTEM;
  put(*box, "a.png", "hello");
  CHECK(get(*box, "a.png") == "hello");
  CHECK(names_in(*box) == Names{"a.png"});
  const auto info = box->info("a.png").value();
  CHECK(info.type == FileType::Regular);
  CHECK(info.size == 5);
  CHECK(box->open("a.png").value()->info().value().same_version(info));
}

TEST_CASE("names are any bytes that a file system takes [A17]") {
  ON_EACH_FILE_SYSTEM;
  auto names = strange_names();
  for (const std::string& name : names) {
    INFO(printable(name));
    put(*box, name, name);
    CHECK(get(*box, name) == name);
  }
  std::ranges::sort(names);
  CHECK(names_in(*box) == names);
}

TEST_CASE("a name cannot lead out of its directory [K7]") {
  ON_EACH_FILE_SYSTEM;
  for (const std::string& name :
       {std::string("../x"), std::string("/etc/passwd"), std::string("a/../../x"), std::string("."),
        std::string(""), std::string("a//b"), std::string("a/"), std::string("nul\0x", 5)}) {
    CHECK(box->create(name).error().kind == ErrorKind::Input);
    CHECK(box->open(name).error().kind == ErrorKind::Input);
    CHECK(box->info(name).error().kind == ErrorKind::Input);
    CHECK(box->remove(name).error().kind == ErrorKind::Input);
    if (!name.empty()) CHECK(box->make_directories(name).error().kind == ErrorKind::Input);
  }
}

TEST_CASE("links are never followed, neither as a name nor on the way to it [K1 K4]") {
  ON_EACH_FILE_SYSTEM;
  box->make_directories("real").value();
  put(*box, "real/secret", "key");
  if (!world.plant_link("link", "real/secret", LinkTo::File) ||
      !world.plant_link("folder", "real", LinkTo::Folder)) {
    return not_shown_here("links");
  }
  CHECK(box->open("link").error().kind == ErrorKind::Input);
  CHECK(box->info("link").value().type == FileType::Symlink);
  CHECK(box->create("link").error().kind == ErrorKind::Exists);
  CHECK(box->open("folder/secret").error().kind == ErrorKind::Input);
  CHECK(box->create("folder/new").error().kind == ErrorKind::Input);
  CHECK(box->make_directories("folder/new").error().kind != ErrorKind::Defect);
  CHECK_FALSE(box->list("folder", [](const auto&) { return Visit::Continue; }));
  CHECK(names_in(*box, "real") == Names{"real/secret"});
}

TEST_CASE("a FIFO is refused and does not block [K3]") {
  ON_EACH_FILE_SYSTEM;
  if (!world.plant_fifo("pipe")) return not_shown_here("FIFOs");
  CHECK(box->open("pipe").error().kind == ErrorKind::Input);
  CHECK(box->info("pipe").value().type == FileType::Other);
}

TEST_CASE("a directory is no file") {
  ON_EACH_FILE_SYSTEM;
  box->make_directories("a/b").value();
  CHECK(box->open("a").error().kind == ErrorKind::Input);
  CHECK_FALSE(box->remove("a"));
  CHECK(names_in(*box, "a") == Names{"a/b"});
}

TEST_CASE("what is missing is Vanished [A9]") {
  ON_EACH_FILE_SYSTEM;
  put(*box, "file", "");
  CHECK(box->open("none").error().kind == ErrorKind::Vanished);
  CHECK(box->info("none/deep").error().kind == ErrorKind::Vanished);
  CHECK(box->info("file/below").error().kind == ErrorKind::Vanished);
  CHECK(box->remove("none").error().kind == ErrorKind::Vanished);
  CHECK(box->publish("none", "to").error().kind == ErrorKind::Vanished);
  CHECK(world.files().open_directory(world.root() / "none").error().kind == ErrorKind::Vanished);
}

TEST_CASE("publish moves and never replaces [F6]") {
  ON_EACH_FILE_SYSTEM;
  put(*box, "from", "new");
  put(*box, "taken", "old");
  CHECK(box->publish("from", "taken").error().kind == ErrorKind::Exists);
  CHECK(get(*box, "taken") == "old");
  CHECK(get(*box, "from") == "new");
  box->publish("from", "free").value();
  CHECK(names_in(*box) == Names{"free", "taken"});
  CHECK(get(*box, "free") == "new");
}

TEST_CASE("publish does not take the place of a link or a directory [K4]") {
  ON_EACH_FILE_SYSTEM;
  put(*box, "from", "new");
  box->make_directories("folder").value();
  CHECK(box->publish("from", "folder").error().kind == ErrorKind::Exists);
  CHECK(get(*box, "from") == "new");
  if (!world.plant_link("link", "nowhere", LinkTo::File)) return not_shown_here("links");
  CHECK(box->publish("from", "link").error().kind == ErrorKind::Exists);
  CHECK(get(*box, "from") == "new");
}

TEST_CASE("replace takes the place of a file, and only of a file") {
  ON_EACH_FILE_SYSTEM;
  put(*box, "from", "new");
  put(*box, "to", "old");
  box->make_directories("folder/below").value();
  CHECK_FALSE(box->replace("from", "folder"));
  box->replace("from", "to").value();
  CHECK(get(*box, "to") == "new");
  CHECK(names_in(*box) == Names{"folder", "to"});
}

TEST_CASE("directories are made once, and not through a file") {
  ON_EACH_FILE_SYSTEM;
  box->make_directories("a/b/c").value();
  box->make_directories("a/b/c").value();
  put(*box, "a/b/c/file", "x");
  CHECK(box->make_directories("a/b/c/file/d").error().kind == ErrorKind::Exists);
  CHECK(box->sync_directory("a/b"));
  CHECK(box->sync_directory("none").error().kind == ErrorKind::Vanished);
}

TEST_CASE("a directory that was swapped is noticed [C4 K4]") {
  ON_EACH_FILE_SYSTEM;
  CHECK(box->still_there().value());
  world.swap_root();
  CHECK_FALSE(box->still_there().value());
  CHECK(world.open()->still_there().value());
}

TEST_CASE("a writer that has the file open is seen [A1]") {
  ON_EACH_FILE_SYSTEM;
  auto writing = box->create("a").value();
  auto reading = box->open("a").value();
  CHECK(reading->writer() == WriterPresence::Open);
  writing->close().value();
  CHECK(reading->writer() == WriterPresence::None);
}

TEST_CASE("a listing can be stopped") {
  ON_EACH_FILE_SYSTEM;
  for (const char* name : {"a", "b", "c"}) put(*box, name, "");
  int seen = 0;
  box->list("", [&](const auto&) { return ++seen == 2 ? Visit::Stop : Visit::Continue; }).value();
  CHECK(seen == 2);
}

TEST_CASE("an entry of a listing tells what its name would, and that it is gone") {
  ON_EACH_FILE_SYSTEM;
  box->make_directories("sub/folder").value();
  put(*box, "sub/a", "four");
  put(*box, "sub/b", "");
  int files = 0;
  const auto look = [&](const Directory::Entry& entry) {
    const FileInfo told = entry.info().value();
    CHECK(told.type == entry.type);
    CHECK(told.same_version(box->info(entry.name).value()));
    if (entry.type != FileType::Regular) return Visit::Continue;
    ++files;
    CHECK(told.size == (entry.name == "sub/a" ? 4 : 0));
    box->remove(entry.name).value();
    CHECK(entry.info().error().kind == ErrorKind::Vanished);
    return Visit::Continue;
  };
  box->list("sub", look).value();
  CHECK(files == 2);
}

TEST_CASE("a closed file takes no more calls") {
  ON_EACH_FILE_SYSTEM;
  auto file = box->create("a").value();
  CHECK(file->close());
  CHECK(file->write(std::as_bytes(std::span("x", 1))).error().kind == ErrorKind::Defect);
  CHECK(file->sync().error().kind == ErrorKind::Defect);
  CHECK(file->close().error().kind == ErrorKind::Defect);
}

TEST_CASE("space is told") {
  ON_EACH_FILE_SYSTEM;
  const auto space = box->space().value();
  CHECK(space.free_bytes > 0);
  CHECK(space.free_bytes <= space.total_bytes);
  CHECK(space.free_inodes > 0);
}

TEST_CASE("whether a directory takes files is told, and nothing is made [F2]") {
  ON_EACH_FILE_SYSTEM;
  box->make_directories("sub").value();
  put(*box, "file", "1");
  CHECK(box->takes_files("").value());
  CHECK(box->takes_files("sub").value());
  CHECK(box->takes_files("none").error().kind == ErrorKind::Vanished);
  CHECK(box->takes_files("file").error().kind == ErrorKind::Vanished);
  CHECK(box->takes_files("../sub").error().kind == ErrorKind::Input);
  CHECK(names_in(*box) == std::vector<std::string>{"file", "sub"});
}

TEST_CASE("make_directory makes the whole path and may be repeated") {
  ON_EACH_FILE_SYSTEM;
  const auto path = world.root() / "x" / "y" / "z";
  put(*world.files().make_directory(path).value(), "file", "1");
  CHECK(get(*world.files().make_directory(path).value(), "file") == "1");
}
