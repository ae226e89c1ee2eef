// The supervisor of the embedded converter, with a script in its child's place.
#include <filesystem>

#include "agent/pipeline/embedded.hpp"
#include "agent/report/log.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace std::chrono_literals;

namespace millrace {

TEST_CASE("a stop does not wait for a child that is still starting [I1]") {
  [[maybe_unused]] static const auto quiet = start_log("off");
  const test::Scratch scratch;
  const auto program = scratch / "program";
  // The first one says that it listens, and ends; the second one never says so.
  test::write_file(program, "#!/bin/sh\ncd " + scratch.path().string() +
                                "\nif mkdir first 2>/dev/null; then echo listening; exit; fi\n"
                                "mkdir second\nexec sleep 60\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  auto embedded = EmbeddedConverter::start({program, scratch.path(), scratch / "work"});
  REQUIRE(embedded);
  REQUIRE(test::eventually([&] { return std::filesystem::exists(scratch / "second"); }));
  const auto begun = std::chrono::steady_clock::now();
  embedded->reset();
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

}  // namespace millrace
