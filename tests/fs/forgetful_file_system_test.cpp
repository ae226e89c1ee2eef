#include "tests/fs/forgetful_file_system.hpp"

#include <cerrno>
#include <map>

#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using Names = std::vector<std::string>;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

TEST_CASE("a power cut takes names that were not synced [G3]") {
  ForgetfulFileSystem files;
  auto box = files.make_directory("/box").value();
  put(*box, "synced", "1");
  box->sync_directory("").value();
  put(*box, "not synced", "2");
  files.cut_power({});
  box = files.open_directory("/box").value();
  CHECK(names_in(*box) == Names{"synced"});
}

TEST_CASE("a power cut takes bytes that were not synced [G3]") {
  const auto kept = GENERATE(Unsynced::Lost, Unsynced::Half, Unsynced::Kept);
  ForgetfulFileSystem files;
  auto box = files.make_directory("/box").value();
  auto file = box->create("a").value();
  file->write(bytes_of("dura")).value();
  file->sync().value();
  file->write(bytes_of("lost")).value();
  box->sync_directory("").value();
  files.cut_power({.bytes = kept});
  const std::map<Unsynced, std::string> expected = {
      {Unsynced::Lost, "dura"}, {Unsynced::Half, "duralo"}, {Unsynced::Kept, "duralost"}};
  CHECK(get(*files.open_directory("/box").value(), "a") == expected.at(kept));
}

TEST_CASE("a replaced file is back after a cut before the directory sync [G3]") {
  ForgetfulFileSystem files;
  auto box = files.make_directory("/box").value();
  put(*box, "a", "old");
  put(*box, "b", "new");
  box->sync_directory("").value();
  box->replace("b", "a").value();
  files.cut_power({});
  CHECK(get(*files.open_directory("/box").value(), "a") == "old");
}

TEST_CASE("nothing happens between the loss of power and its return") {
  ForgetfulFileSystem files;
  auto box = files.make_directory("/box").value();
  files.lose_power_at(2);
  auto file = box->create("a").value();
  CHECK(file->write(bytes_of("x")).error().kind == ErrorKind::Environment);
  CHECK_FALSE(box->sync_directory(""));
  CHECK_FALSE(box->info("a"));
  files.cut_power({});
  CHECK(box->info("a").error().os_code == EIO);
  CHECK(names_in(*files.open_directory("/box").value()).empty());
}

TEST_CASE("an operation fails on request, and a done rename is seen in spite of it [C5]") {
  ForgetfulFileSystem files;
  auto box = files.make_directory("/box").value();
  put(*box, "a", "1");
  const auto before = files.operations();
  files.fail_at(1, EIO);
  CHECK(box->publish("a", "b").error().kind == ErrorKind::Environment);
  CHECK(files.operations() == before + 1);
  files.fail_at(1, EIO, Happens::Yes);
  CHECK(box->publish("a", "b"));
  CHECK(names_in(*box) == Names{"b"});
}
