#include "agent/deliver/local_outbox.hpp"

#include <cerrno>

#include "platform/base/sha256.hpp"
#include "platform/fs/atomic_file.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;
using Names = std::vector<std::string>;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string hash(std::string_view text) { return to_hex(sha256(text)); }

struct World : AnyFileSystem {
  explicit World(Which which, LocalOutboxOptions options = {})
      : AnyFileSystem(which),
        outbox(open_local_outbox(files(), root(), std::move(options)).value()),
        box(open()) {}

  std::unique_ptr<OutputFile> finished(const Name& name, std::string_view content, JobId job = 7) {
    auto file = outbox->begin(name, job).value();
    file->write(bytes(content)).value();
    file->finish().value();
    return file;
  }
  // A finished temporary that is left lying, as after a crash.
  Name left_over(const Name& name, std::string_view content, JobId job = 7) {
    auto file = finished(name, content, job);
    file->keep();
    return file->temporary_name();
  }

  std::unique_ptr<Outbox> outbox;
  std::unique_ptr<Directory> box;
};

}  // namespace

#define ON_EACH_FILE_SYSTEM                             \
  World world(GENERATE(Which::Real, Which::Forgetful)); \
  INFO((world.is_real() ? "real" : "forgetful"))

TEST_CASE("a committed file lies whole under its name, in folders that were missing") {
  ON_EACH_FILE_SYSTEM;
  CHECK_FALSE(world.outbox->find("sub/dir/a.webp").value());
  const auto identity = world.finished("sub/dir/a.webp", "whole")->commit(std::nullopt).value();
  CHECK(get(*world.box, "sub/dir/a.webp") == "whole");
  CHECK(names_in(*world.box, "sub/dir") == Names{"sub/dir/a.webp"});
  CHECK(identity.size == 5);
  CHECK(world.outbox->find("sub/dir/a.webp").value() == identity);
  CHECK(world.outbox->describe("a b") == (world.root() / "a b").string());
  CHECK(world.outbox->id() == world.root().string());
}

TEST_CASE("an output that is left without commit leaves nothing [F12]") {
  ON_EACH_FILE_SYSTEM;
  world.finished("a", "x").reset();
  world.outbox->begin("b", 1).value().reset();
  CHECK(names_in(*world.box).empty());
}

TEST_CASE("a taken name is Exists, and the file may try another time [F6]") {
  ON_EACH_FILE_SYSTEM;
  put(*world.box, "a", "theirs");
  auto file = world.finished("a", "ours");
  CHECK(file->commit(std::nullopt).error().kind == ErrorKind::Exists);
  CHECK(get(*world.box, "a") == "theirs");
  world.box->remove("a").value();
  CHECK(file->commit(std::nullopt));
}

TEST_CASE("only exactly the known file is replaced [F6]") {
  ON_EACH_FILE_SYSTEM;
  const auto first = world.finished("a", "version 1")->commit(std::nullopt).value();
  const auto second = world.finished("a", "version 2")->commit(first).value();
  CHECK(second != first);
  CHECK(get(*world.box, "a") == "version 2");
  CHECK(world.finished("a", "version 3")->commit(first).error().kind == ErrorKind::Exists);
  CHECK(get(*world.box, "a") == "version 2");
  world.box->remove("a").value();
  CHECK(world.finished("a", "version 4")->commit(second));  // removed: nothing to protect
  CHECK(get(*world.box, "a") == "version 4");
}

TEST_CASE("an edit in place that hides its time is not replaced [F6]") {
  World world(Which::Real);
  const auto ours = world.finished("a", "12345")->commit(std::nullopt).value();
  const auto path = world.root() / "a";
  const auto time = std::filesystem::last_write_time(path);
  // Where the clock of the file system is coarse, only a later tick tells the two apart.
  REQUIRE(eventually([&] {
    write_file(path, "edits");
    std::filesystem::last_write_time(path, time);
    return world.outbox->find("a").value() != ours;
  }));
  CHECK(world.finished("a", "again")->commit(ours).error().kind == ErrorKind::Exists);
  CHECK(get(*world.box, "a") == "edits");
}

TEST_CASE("a link at the final name or on the way to it leads nowhere [K4]") {
  ON_EACH_FILE_SYSTEM;
  if (!world.plant_link("a", "/etc/millrace-elsewhere", LinkTo::File) ||
      !world.plant_link("sub", "/etc", LinkTo::Folder)) {
    return not_shown_here("links");
  }
  auto file = world.finished("a", "x");
  CHECK(file->commit(std::nullopt).error().kind == ErrorKind::Exists);
  CHECK(world.outbox->find("a").value());
  CHECK_FALSE(world.outbox->begin("sub/a", 7));
  CHECK_FALSE(world.outbox->begin("../a", 7));
}

TEST_CASE("nothing is written when the folder was swapped or unmounted [C4 K4 B6]") {
  ON_EACH_FILE_SYSTEM;
  auto file = world.finished("a", "x");
  world.swap_root();
  CHECK(file->commit(std::nullopt).error().kind == ErrorKind::Environment);
  CHECK(world.outbox->begin("b", 7).error().kind == ErrorKind::Environment);
  CHECK(world.outbox->check_space(0).error().kind == ErrorKind::Environment);
  CHECK(world.outbox->find("a").error().kind == ErrorKind::Environment);
  CHECK(world.outbox->remove_leftovers("").error().kind == ErrorKind::Environment);
  CHECK(names_in(*world.open()).empty());
}

TEST_CASE("an outbox without its marker is not opened, nor used when it is gone [C4]") {
  AnyFileSystem any(GENERATE(Which::Real, Which::Forgetful));
  LocalOutboxOptions options;
  options.marker = ".mounted";
  CHECK(open_local_outbox(any.files(), any.root(), options).error().kind == ErrorKind::Environment);
  put(*any.open(), ".mounted", "");
  auto outbox = open_local_outbox(any.files(), any.root(), options).value();
  CHECK(outbox->begin("a", 1));
  any.open()->remove(".mounted").value();
  CHECK(outbox->begin("a", 1).error().kind == ErrorKind::Environment);
  CHECK(outbox->check_space(0).error().kind == ErrorKind::Environment);
}

TEST_CASE("an outbox that is missing is Environment, and is not made") {
  AnyFileSystem any(GENERATE(Which::Real, Which::Forgetful));
  CHECK(open_local_outbox(any.files(), any.root() / "none").error().kind == ErrorKind::Environment);
  CHECK_FALSE(any.open()->info("none"));
}

TEST_CASE("what lies where a folder must be made is told, and nothing is made [F6]") {
  ON_EACH_FILE_SYSTEM;
  put(*world.box, "file", "theirs");
  world.box->make_directories("sub").value();
  CHECK(world.outbox->check_place("a"));
  CHECK(world.outbox->check_place("sub/a"));
  CHECK(world.outbox->check_place("sub/none/yet/a"));
  CHECK(world.outbox->check_place("none/yet/a"));
  CHECK(world.outbox->check_place("file/a").error().kind == ErrorKind::Exists);
  CHECK(world.outbox->check_place("file/none/yet/a").error().kind == ErrorKind::Exists);
  CHECK(names_in(*world.box) == Names{"file", "sub"});
}

TEST_CASE("space is asked for with a reserve [F1]") {
  CHECK(space_reserve(1'000'000) == 10'000);
  CHECK(space_reserve(std::uint64_t{1} << 50) == 100'000'000);
  World world(Which::Forgetful);
  world.memory().set_capacity(1'000'000);
  CHECK(world.outbox->check_space(990'000));
  CHECK(world.outbox->check_space(990'001).error().kind == ErrorKind::Environment);
  CHECK(world.outbox->check_space(~std::uint64_t{0}).error().kind == ErrorKind::Environment);
}

TEST_CASE("a full disk fails the write, and another temporary may be tried [F1]") {
  World world(Which::Forgetful);
  auto file = world.outbox->begin("a", 7).value();
  world.memory().set_capacity(3);
  CHECK(file->write(bytes("1234")).error().os_code == ENOSPC);
  CHECK(file->commit(std::nullopt).error().kind == ErrorKind::Environment);
  file.reset();
  CHECK(names_in(*world.box).empty());
}

TEST_CASE(
    "an outbox error is Environment at every operation, and nothing is half-done [F1 F2 F3]") {
#if defined(EDQUOT)  // not everywhere
  constexpr int kFullAsWell = EDQUOT;
#else
  constexpr int kFullAsWell = ENOSPC;
#endif
  for (const int code : {ENOSPC, kFullAsWell, EIO, EROFS, EACCES})
    for (std::uint64_t n = 1;; ++n) {
      World world(Which::Forgetful);
      world.memory().fail_at(n, code);
      const auto deliver = [&]() -> Result<OutputIdentity> {
        auto file = world.outbox->begin("sub/a", 7);
        if (!file) return std::unexpected(file.error());
        if (auto wrote = (*file)->write(bytes("whole")); !wrote)
          return std::unexpected(wrote.error());
        if (auto finished = (*file)->finish(); !finished) return std::unexpected(finished.error());
        return (*file)->commit(std::nullopt);
      };
      const auto delivered = deliver();
      INFO("operation " << n << " code " << code);
      if (world.box->info("sub/a")) CHECK(get(*world.box, "sub/a") == "whole");
      if (delivered) {
        CHECK(n == 10);
        break;
      }
      CHECK(delivered.error().kind == ErrorKind::Environment);
      if (world.box->info("sub"))
        CHECK(names_in(*world.box, "sub").size() == (world.box->info("sub/a") ? 1 : 0));
    }
}

TEST_CASE("a commit that was done although it reports an error is believed [C5]") {
  World world(Which::Forgetful);
  auto file = world.finished("a", "x");
  world.memory().fail_at(1, EIO, Happens::Yes);
  CHECK(file->commit(std::nullopt));
  CHECK(names_in(*world.box) == Names{"a"});
}

TEST_CASE("adopt publishes a temporary that holds exactly the recorded bytes [G4]") {
  ON_EACH_FILE_SYSTEM;
  const auto temporary = world.left_over("sub/a", "whole");
  const auto adopted =
      world.outbox->adopt(temporary, "sub/a", hash("whole"), 5, std::nullopt).value();
  REQUIRE(adopted);
  CHECK(get(*world.box, "sub/a") == "whole");
  CHECK(names_in(*world.box, "sub") == Names{"sub/a"});
  // Again, now that it is published: the same answer, whoever asks.
  CHECK(world.outbox->adopt(temporary, "sub/a", hash("whole"), 5, std::nullopt).value() == adopted);
}

TEST_CASE("adopt removes a temporary that is not what was recorded [G4 F12]") {
  ON_EACH_FILE_SYSTEM;
  const auto temporary = world.left_over("a", "torn");
  CHECK_FALSE(world.outbox->adopt(temporary, "a", hash("whole"), 5, std::nullopt).value());
  CHECK(names_in(*world.box).empty());
  CHECK_FALSE(world.outbox->adopt(temporary, "a", hash("whole"), 5, std::nullopt).value());
}

TEST_CASE("adopt replaces only what it may, and keeps the temporary otherwise [G4 F6]") {
  ON_EACH_FILE_SYSTEM;
  const auto old = world.finished("a", "old")->commit(std::nullopt).value();
  const auto temporary = world.left_over("a", "whole");
  CHECK(world.outbox->adopt(temporary, "a", hash("whole"), 5, std::nullopt).error().kind ==
        ErrorKind::Exists);
  CHECK(get(*world.box, "a") == "old");
  CHECK(world.outbox->adopt(temporary, "a", hash("whole"), 5, old).value());
  CHECK(names_in(*world.box) == Names{"a"});
}

TEST_CASE("leftovers of ours are removed where it is asked, and no others [F12]") {
  LocalOutboxOptions options;
  options.owner = "me";
  options.is_live = [](JobId job) { return job == 5; };
  World world(GENERATE(Which::Real, Which::Forgetful), options);
  const auto live = world.left_over("sub/a", "x", 5);
  world.left_over("sub/a", "x", 6);
  world.left_over("b", "x", 7);
  auto open = world.outbox->begin("b", 8).value();
  const std::string digits = "-0123456789abcdef.tmp";
  put(*world.box, ".millrace-you-7" + digits, "");
  put(*world.box, ".millrace-me-x" + digits, "");
  put(*world.box, ".millrace-me-7.tmp", "");
  put(*world.box, "other.tmp", "");
  CHECK(world.outbox->remove_leftovers("sub/a") == Leftovers{1, 0});
  CHECK(names_in(*world.box, "sub") == Names{live});
  CHECK(world.outbox->remove_leftovers("") == Leftovers{1, 0});
  CHECK(names_in(*world.box, "sub") == Names{live});
  CHECK(world.box->info(open->temporary_name()));
  CHECK(names_in(*world.box).size() == 6);
}
