#include "platform/fs/atomic_file.hpp"

#include <cerrno>

#include "platform/fs/small_file.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using Names = std::vector<std::string>;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::unique_ptr<AtomicFile> begin(Directory& box, const std::string& name) {
  return AtomicFile::begin(box, name, "agent-7", Access::Shared).value();
}

}  // namespace

TEST_CASE("an atomic file shows under its name only when it is published") {
  AnyFileSystem world(GENERATE(Which::Real, Which::Forgetful));
  auto box = world.open();
  auto file = begin(*box, "a.webp");
  file->write(bytes("whole")).value();
  file->finish().value();
  CHECK(names_in(*box) == Names{file->temporary_name()});
  file->publish().value();
  file.reset();
  CHECK(names_in(*box) == Names{"a.webp"});
  CHECK(get(*box, "a.webp") == "whole");
}

TEST_CASE("an atomic file that is left takes its temporary with it, unless it is kept [F12]") {
  AnyFileSystem world(GENERATE(Which::Real, Which::Forgetful));
  auto box = world.open();
  begin(*box, "a")->write(bytes("x")).value();
  CHECK(names_in(*box).empty());
  auto file = begin(*box, "a");
  file->finish().value();
  file->keep();
  file.reset();
  CHECK(names_in(*box).size() == 1);
}

TEST_CASE("after Exists the same atomic file can still replace") {
  AnyFileSystem world(GENERATE(Which::Real, Which::Forgetful));
  auto box = world.open();
  put(*box, "a", "old");
  auto file = begin(*box, "a");
  file->write(bytes("new")).value();
  CHECK(file->publish().error().kind == ErrorKind::Defect);  // not finished
  file->finish().value();
  CHECK(file->publish().error().kind == ErrorKind::Exists);
  CHECK(get(*box, "a") == "old");
  file->replace().value();
  CHECK(get(*box, "a") == "new");
}

TEST_CASE("a failed sync is final for its file [F3]") {
  AnyFileSystem world(Which::Forgetful);
  auto box = world.open();
  auto file = begin(*box, "a");
  file->write(bytes("x")).value();
  world.memory().fail_at(1, EIO);
  CHECK(file->finish().error().os_code == EIO);
  CHECK(file->finish().error().kind == ErrorKind::Environment);
  CHECK(file->publish().error().kind == ErrorKind::Environment);
  CHECK(file->write(bytes("x")).error().kind == ErrorKind::Environment);
  file.reset();
  CHECK(names_in(*box).empty());
}

TEST_CASE("a late error of close counts as a failed write [F4]") {
  AnyFileSystem world(Which::Forgetful);
  auto box = world.open();
  auto file = begin(*box, "a");
  world.memory().fail_at(2, EIO);
  CHECK(file->finish().error().os_code == EIO);
  CHECK_FALSE(file->publish());
}

TEST_CASE("temporaries are known by their whole name, and nobody else's are [F12]") {
  CHECK(temporary_owner(".millrace-agent-7-0123456789abcdef.tmp") == "agent-7");
  for (const std::string_view foreign :
       {".millrace-agent-7-0123456789abcdeX.tmp", ".millrace-0123456789abcdef.tmp",
        ".millrace--0123456789abcdef.tmp", "millrace-agent-7-0123456789abcdef.tmp", ".millrace-",
        ".tmp", ".millrace-A-0123456789abcdef.tmp", ".millrace-agent-7-0123456789abcdef.tmp.part"})
    CHECK_FALSE(temporary_owner(foreign));
}

TEST_CASE("temporaries lie beside the final name and are short whatever its length [F9 F10]") {
  AnyFileSystem world(Which::Real);
  auto box = world.open();
  box->make_directories("sub").value();
  auto file = begin(*box, "sub/" + std::string(255, 'n'));
  CHECK(file->temporary_name().starts_with("sub/.millrace-agent-7-"));
  file->finish().value();
  CHECK(file->publish());
  CHECK(AtomicFile::begin(*box, "a", "../x", Access::Shared).error().kind == ErrorKind::Defect);
}

TEST_CASE("a small file is old or new at every cut of the power, and then durable [G6]") {
  const auto names = GENERATE(Unsynced::Lost, Unsynced::Kept);
  const auto content = GENERATE(Unsynced::Lost, Unsynced::Half, Unsynced::Kept);
  for (std::uint64_t n = 1;; ++n) {
    ForgetfulFileSystem files;
    auto box = files.make_directory("/box").value();
    write_small_file(*box, "settings", "old", Access::OwnerOnly).value();
    files.lose_power_at(n);
    const auto wrote = write_small_file(*box, "settings", "newer", Access::OwnerOnly);
    files.cut_power({names, content});
    const auto found = get(*files.open_directory("/box").value(), "settings");
    INFO("cut at " << n);
    if (wrote) {
      CHECK(found == "newer");
      CHECK(n > 5);
      break;
    }
    CHECK((found == "old" || found == "newer"));
  }
}

TEST_CASE("a small file that is too large is refused") {
  AnyFileSystem world(GENERATE(Which::Real, Which::Forgetful));
  auto box = world.open();
  put(*box, "a", "12345");
  CHECK(read_small_file(*box, "a", 5).value() == "12345");
  CHECK(read_small_file(*box, "a", 4).error().kind == ErrorKind::Input);
}
