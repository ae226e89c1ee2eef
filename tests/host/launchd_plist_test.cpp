#include "platform/host/launchd_plist.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

LaunchdJob usual_job() {
  return {"/usr/local/bin/millrace", "/Users/ada/config.toml", "/Users/ada/Library/Logs/m.log", ""};
}

}  // namespace

// That it is a property list, and which keys and types it has, tests/macos/plist_test.py looks at.
TEST_CASE("a property list names the program and its arguments in order") {
  const auto list = launchd_plist(usual_job());
  REQUIRE(list);
  CHECK(holds(*list,
              "  <key>ProgramArguments</key>\n"
              "  <array>\n"
              "    <string>/usr/local/bin/millrace</string>\n"
              "    <string>run</string>\n"
              "    <string>--config</string>\n"
              "    <string>/Users/ada/config.toml</string>\n"
              "  </array>\n"));
  CHECK_FALSE(holds(*list, "UserName"));
}

TEST_CASE("a daemon has a user, an agent is its user's") {
  LaunchdJob job = usual_job();
  job.user = "ada";
  CHECK(holds(launchd_plist(job).value(), "<key>UserName</key>\n  <string>ada</string>"));
}

TEST_CASE("what XML has a meaning for is written as text") {
  LaunchdJob job = usual_job();
  job.config_file = "/Users/ada/R&D <alt> \"neu\" 'x'/Größe.toml";
  CHECK(holds(launchd_plist(job).value(),
              "<string>/Users/ada/R&amp;D &lt;alt&gt; \"neu\" 'x'/Größe.toml</string>"));
}

TEST_CASE("what no XML can hold is refused by name") {
  for (const std::string_view bad : {"/Users/ada/a\nb", "/Users/ada/\x1b[1m", "/Users/ada/\xff"}) {
    LaunchdJob job = usual_job();
    job.program = bad;
    const auto refused = launchd_plist(job);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Configuration);
    CHECK(holds(refused.error().message, "/Users/ada/"));
    CHECK(refused.error().message.find('\n') == std::string::npos);
  }
}

}  // namespace millrace
