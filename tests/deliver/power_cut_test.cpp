// The power goes at every operation of a delivery, and an unsynced thing may be kept or lost in
// every way: the final name is absent or whole [P2], and what was reported as delivered is there.
#include <array>
#include <functional>

#include "agent/deliver/local_outbox.hpp"
#include "platform/base/sha256.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/fs/forgetful_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

const std::string kContent(10'000, 'w');

using Delivery = std::function<bool(FileSystem&)>;  // true if it says that it delivered

bool deliver(FileSystem& files) {
  auto outbox = open_local_outbox(files, "/box");
  if (!outbox) return false;
  auto file = (*outbox)->begin("sub/a", 7);
  if (!file || !(*file)->write(std::as_bytes(std::span(kContent)))) return false;
  return (*file)->finish() && (*file)->commit(std::nullopt);
}

// The control: the same steps with one of the two syncs left out.
enum class LeftOut { FileSync, DirectorySync };
bool deliver_without(LeftOut what, FileSystem& files) {
  auto box = files.open_directory("/box");
  if (!box || !(*box)->make_directories("sub")) return false;
  auto file = (*box)->create("sub/t");
  if (!file || !(*file)->write(std::as_bytes(std::span(kContent)))) return false;
  if (what != LeftOut::FileSync && !(*file)->sync()) return false;
  if (!(*file)->close() || !(*box)->publish("sub/t", "sub/a")) return false;
  return what == LeftOut::DirectorySync || (*box)->sync_directory("sub");
}

struct Toll {
  int cuts = 0;
  int torn = 0;  // the name is there and the bytes are not
  int lost = 0;  // reported as delivered, and not there
};

Toll cut_everywhere(const Delivery& delivery) {
  Toll toll;
  constexpr std::array kWays = {Unsynced::Lost, Unsynced::Half, Unsynced::Kept};
  for (const Unsynced names : {Unsynced::Lost, Unsynced::Kept})
    for (const Unsynced content : kWays)
      for (std::uint64_t n = 1, last = 0; last == 0; ++n) {
        ForgetfulFileSystem files;
        files.make_directory("/box").value();
        files.lose_power_at(n);
        const auto before = files.operations();
        const bool delivered = delivery(files);
        if (files.operations() - before < n) last = n;  // the whole delivery had power
        files.cut_power({names, content});
        auto box = files.open_directory("/box").value();
        ++toll.cuts;
        const bool there = box->info("sub/a").has_value();
        if (there && get(*box, "sub/a") != kContent) ++toll.torn;
        if (delivered && !there) ++toll.lost;
      }
  return toll;
}

}  // namespace

TEST_CASE("a power cut at any operation leaves the final name absent or whole [G3 F7 F12]") {
  const Toll toll = cut_everywhere(deliver);
  CHECK(toll.cuts == 6 * 10);
  CHECK(toll.torn == 0);
  CHECK(toll.lost == 0);
}

TEST_CASE("without the sync of the file the same cuts tear outputs (control) [G3]") {
  const Toll toll =
      cut_everywhere([](FileSystem& files) { return deliver_without(LeftOut::FileSync, files); });
  CHECK(toll.torn > 0);
}

TEST_CASE("without the sync of the directory the same cuts lose outputs (control) [G3]") {
  const Toll toll = cut_everywhere(
      [](FileSystem& files) { return deliver_without(LeftOut::DirectorySync, files); });
  CHECK(toll.torn == 0);
  CHECK(toll.lost > 0);
}

TEST_CASE("after a power cut past finish, recovery has the output without a second bill [G4]") {
  const auto names = GENERATE(Unsynced::Lost, Unsynced::Kept);
  for (std::uint64_t n = 1; n < 6; ++n) {
    ForgetfulFileSystem files;
    files.make_directory("/box").value();
    std::string temporary;
    {
      auto outbox = open_local_outbox(files, "/box").value();
      auto file = outbox->begin("a", 7).value();
      file->write(std::as_bytes(std::span(kContent))).value();
      file->finish().value();
      temporary = file->temporary_name();
      files.lose_power_at(n);
      static_cast<void>(file->commit(std::nullopt));
      file->keep();
    }
    files.cut_power({names, Unsynced::Lost});
    auto outbox = open_local_outbox(files, "/box").value();
    const auto adopted =
        outbox->adopt(temporary, "a", to_hex(sha256(kContent)), kContent.size(), std::nullopt);
    INFO("cut at " << n);
    REQUIRE(adopted);
    REQUIRE(*adopted);
    auto box = files.open_directory("/box").value();
    CHECK(get(*box, "a") == kContent);
    CHECK(names_in(*box) == std::vector<std::string>{"a"});
  }
}

TEST_CASE("a temporary that was removed is not back after a power cut [G3] [F12]") {
  ForgetfulFileSystem files;
  files.make_directory("/box").value();
  auto outbox = open_local_outbox(files, "/box").value();
  auto file = outbox->begin("a", 7).value();
  files.open_directory("/box").value()->sync_directory("").value();
  SECTION("by the delivery that was given up") { file.reset(); }
  SECTION("by the search for leftovers") {
    file->keep();
    file.reset();
    REQUIRE(outbox->remove_leftovers("a") == Leftovers{1, 0});
  }
  files.cut_power({});
  CHECK(names_in(*files.open_directory("/box").value()).empty());
}
