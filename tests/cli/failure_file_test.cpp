#include "agent/cli/failure_file.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

JobView failure(const std::string& name, int status) {
  JobView view;
  view.id = 512;
  view.candidate = {"/in", name, 1, "v"};
  view.target = "webp";
  view.kind = "input";
  view.reason = "broken";
  view.attempts = 2;
  view.http_status = status;
  view.finished = WallTime{std::chrono::sys_days{std::chrono::year{2026} / 3 / 9}} +
                  std::chrono::milliseconds{3'723'045};
  return view;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a failure is one line with source, kind, reason, attempts, status and time") {
  CHECK(failure_line(failure("a.png", 422)) ==
        "{\"source\":\"/in/a.png\",\"to\":\"webp\",\"kind\":\"input\",\"reason\":\"broken\","
        "\"attempts\":2,\"http_status\":422,\"time\":\"2026-03-09T01:02:03.045Z\",\"job\":512}\n");
  const std::string odd = failure_line(failure("a\n\"\xff.png", 0));
  CHECK(odd.find('\n') == odd.size() - 1);
  const auto json = nlohmann::json::parse(odd);
  CHECK_FALSE(json.contains("http_status"));
}

TEST_CASE("failures are in the file as soon as they are added, and a later run makes it anew") {
  const test::Scratch scratch;
  const auto path = scratch / "failed.jsonl";
  auto file = FailureFile::begin(path).value();
  CHECK(content(path).empty());
  REQUIRE(file->add(std::vector{failure("a.png", 422), failure("b.png", 0)}));
  REQUIRE(file->add(std::vector{failure("c.png", 413)}));
  CHECK(content(path) == failure_line(failure("a.png", 422)) + failure_line(failure("b.png", 0)) +
                             failure_line(failure("c.png", 413)));
  file.reset();
  REQUIRE(FailureFile::begin(path));
  CHECK(content(path).empty());
  REQUIRE(FailureFile::begin(path));  // an empty one as well
}

TEST_CASE("a file that holds something else than failures stays as it is") {
  const test::Scratch scratch;
  const auto path = scratch / "picture.png";
  std::ofstream(path) << "{\"sour";  // less than a line begins with, and torn
  REQUIRE(FailureFile::begin(path));
  std::ofstream(path) << "\x89PNG";
  const auto refused = FailureFile::begin(path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Configuration);
  CHECK(content(path) == "\x89PNG");
  CHECK_FALSE(FailureFile::begin(scratch / "no/failed.jsonl"));
}

}  // namespace millrace
