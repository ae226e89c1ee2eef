#include "agent/cli/check_finding.hpp"

#include <vector>

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

const Finding kMissing{FindingLevel::Error, "inbox of a", "/x does not exist", "mkdir -p /x"};

TEST_CASE("a finding is one line that says what to do") {
  CHECK(to_line(kMissing) == "ERROR inbox of a: /x does not exist -> mkdir -p /x");
  CHECK(to_line(found_well("inbox of a", "/x")) == "ok    inbox of a: /x");
  CHECK(to_line({FindingLevel::Warning, "disk", "low", "make room"}) ==
        "WARN  disk: low -> make room");
}

TEST_CASE("a hostile path cannot break a line or a terminal [K6]") {
  const Finding hostile{FindingLevel::Error, "inbox of a", "/x\n\x1b[2J\xff", "mkdir \r"};
  const std::string line = to_line(hostile);
  CHECK(line.find_first_of("\n\r\x1b") == std::string::npos);
  CHECK(to_json(std::vector{hostile}).find('\xff') == std::string::npos);
}

TEST_CASE("the findings as JSON are counted by level") {
  const std::vector findings{found_well("a", "b"), kMissing,
                             Finding{FindingLevel::Warning, "c", "d", "e"}};
  CHECK(count_of(findings, FindingLevel::Error) == 1);
  const std::string json = to_json(findings);
  CHECK(json.find(R"("errors":1)") != std::string::npos);
  CHECK(json.find(R"("warnings":1)") != std::string::npos);
  CHECK(json.find(R"("what_to_do":"mkdir -p /x")") != std::string::npos);
  CHECK(to_json({}) == R"({"errors":0,"findings":[],"warnings":0})");
}

}  // namespace
}  // namespace millrace
