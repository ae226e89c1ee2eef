#include "agent/download/list_report.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "platform/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string read_all(DigestedSource& body, std::size_t piece) {
  std::string text;
  std::vector<std::byte> room(piece);
  for (;;) {
    const auto got = body.read(room);
    REQUIRE(got);
    if (*got == 0) return text;
    text.append(reinterpret_cast<const char*>(room.data()), *got);
  }
}

struct ReportBench {
  std::unique_ptr<ListReport> begin() const {
    auto report = ListReport::begin(*real_file_system().open_directory(scratch.path()));
    REQUIRE(report);
    return std::move(*report);
  }
  bool empty() const { return std::filesystem::is_empty(scratch.path()); }
  const Scratch scratch;
};

}  // namespace

TEST_CASE("a report tells every line and the totals, whatever its names hold") {
  const std::size_t piece = GENERATE(1, 7, 100'000);
  const ReportBench bench;
  auto report = bench.begin();
  report->add({LineEnd::How::Fetched, 7, "a\"b\n.png", 5, std::string(64, 'f'), ""});
  report->add({LineEnd::How::Failed, 2, "", {}, "", "no \xff URL"});
  report->add({LineEnd::How::Waiting, 3, "c", {}, "", "later"});
  DownloadTally tally;
  tally.fetched = tally.failed = tally.waiting = 1;
  tally.bytes = 5;
  auto artifact = report->finish("l.urls", tally, false);
  REQUIRE(artifact);
  report.reset();
  const std::string text = read_all(*artifact->body, piece);
  CHECK(artifact->length == text.size());
  CHECK(artifact->body->take_sha256() == to_hex(sha256(text)));
  const auto json = nlohmann::json::parse(text);
  CHECK(json["list"] == "l.urls");
  CHECK(json["whole_list"] == false);
  CHECK(json["fetched"] == 1);
  CHECK(json["bytes"] == 5);
  REQUIRE(json["files"].size() == 3);
  CHECK(json["files"][0] == nlohmann::json{{"line", 7},
                                           {"state", "fetched"},
                                           {"name", "a\"b\n.png"},
                                           {"size", 5},
                                           {"sha256", std::string(64, 'f')}});
  CHECK(json["files"][1]["state"] == "failed");
  CHECK_FALSE(json["files"][1].contains("name"));
  CHECK(json["files"][2]["reason"] == "later");
  artifact->body.reset();
  CHECK(bench.empty());
}

TEST_CASE("a report on no line at all, and one that nobody asked for") {
  const ReportBench bench;
  auto artifact = bench.begin()->finish("l", {}, true);
  REQUIRE(artifact);
  CHECK(nlohmann::json::parse(read_all(*artifact->body, 100))["files"].empty());
  artifact->body.reset();
  bench.begin()->add({});
  CHECK(bench.empty());
}

TEST_CASE("a report of many lines goes through its file") {
  constexpr std::uint64_t kLines = 20'000;
  const ReportBench bench;
  auto report = bench.begin();
  for (std::uint64_t i = 0; i < kLines; ++i)
    report->add({LineEnd::How::Fetched, i, "n" + std::to_string(i), i, "", ""});
  auto artifact = report->finish("l", {}, true);
  REQUIRE(artifact);
  const auto json = nlohmann::json::parse(read_all(*artifact->body, 4096));
  REQUIRE(json["files"].size() == kLines);
  CHECK(json["files"][kLines - 1]["line"] == kLines - 1);
}
