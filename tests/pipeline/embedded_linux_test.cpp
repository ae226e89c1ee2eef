// The supervisor of the embedded converter, with a script in its child's place.
#include <algorithm>
#include <filesystem>
#include <string>

#include "agent/pipeline/embedded.hpp"
#include "agent/report/log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace std::chrono_literals;

namespace millrace {
namespace {

void restarts_are_not_logged() { [[maybe_unused]] static const auto quiet = start_log("off"); }

}  // namespace

TEST_CASE("a stop does not wait for a child that is still starting [I1]") {
  restarts_are_not_logged();
  const test::Scratch scratch;
  const auto program = scratch / "program";
  // The first one says that it listens, and ends; the second one never says so.
  test::write_file(program, "#!/bin/sh\ncd " + scratch.path().string() +
                                "\nif mkdir first 2>/dev/null; then echo listening; exit; fi\n"
                                "mkdir second\nexec sleep 60\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  auto embedded = EmbeddedConverter::make({program, scratch.path(), scratch / "work"});
  REQUIRE(embedded);
  REQUIRE((*embedded)->run(120s));
  REQUIRE(test::eventually([&] { return std::filesystem::exists(scratch / "second"); }));
  const auto begun = std::chrono::steady_clock::now();
  embedded->reset();
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("the child has the converter's time limit, also after it changed, and takes any size") {
  restarts_are_not_logged();
  const test::Scratch scratch;
  const auto program = scratch / "program";
  // Each one adds a line with what it was given.
  test::write_file(program, "#!/bin/sh\necho \"$@\" >> " + (scratch / "given").string() +
                                "\necho listening\nexec sleep 60\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const auto given = [&] { return test::read_file(scratch / "given"); };
  auto embedded = EmbeddedConverter::make({program, scratch.path(), scratch / "work"});
  REQUIRE(embedded);
  REQUIRE((*embedded)->run(600s));
  CHECK(given().ends_with("--max-size 1TiB --time-limit 10m\n"));
  REQUIRE((*embedded)->run(600s));
  REQUIRE((*embedded)->run(1500ms));
  REQUIRE(test::eventually([&] { return given().ends_with("--time-limit 2s\n"); }));
  embedded->reset();
  const std::string all = given();
  CHECK(std::ranges::count(all, '\n') == 2);
}

}  // namespace millrace
