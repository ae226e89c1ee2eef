#include "agent/cli/check_rules.hpp"

#include <chrono>

#include "agent/deliver/local_outbox.hpp"
#include "platform/base/advice.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMany = 1'000'000;

FindingLevel space_level(std::uint64_t free, std::uint64_t total, std::uint64_t inodes = kMany) {
  return judge_space("disk", Space{free, total, inodes}).value().level;
}

TEST_CASE("a disk is low under 5 % and under 1 GB, both [F1]") {
  CHECK(space_level(500'000'000'000, 1'000'000'000'000) == FindingLevel::Ok);
  CHECK(space_level(1'000'000'000, 1'000'000'000'000) == FindingLevel::Ok);  // 0.1 %, 1 GB
  CHECK(space_level(900'000'000, 1'000'000'000'000) == FindingLevel::Warning);
  CHECK(space_level(900'000'000, 2'000'000'000) == FindingLevel::Ok);  // 45 %
  CHECK(space_level(40'000, 1'000'000) == FindingLevel::Warning);
}

TEST_CASE("a disk is full where an outbox would pause [F1]") {
  const std::uint64_t total = 1'000'000;
  CHECK(space_level(space_reserve(total) - 1, total) == FindingLevel::Error);
  CHECK(space_level(space_reserve(total), total) == FindingLevel::Warning);
  CHECK(space_level(total, total, 31) == FindingLevel::Error);
  CHECK(space_level(total, total, 32) == FindingLevel::Ok);
  CHECK_FALSE(judge_space("disk", Space{0, 0, 0}));
}

TEST_CASE("a clock may be 2 minutes off, and 10 minutes is an error [H1]") {
  CHECK(judge_clock("clock", 0s).level == FindingLevel::Ok);
  CHECK(judge_clock("clock", 120s).level == FindingLevel::Ok);
  CHECK(judge_clock("clock", -121s).level == FindingLevel::Warning);
  CHECK(judge_clock("clock", 600s).level == FindingLevel::Warning);
  CHECK(judge_clock("clock", 601s).level == FindingLevel::Error);
  const Finding behind = judge_clock("clock", -3600s);
  CHECK(behind.level == FindingLevel::Error);
  CHECK(behind.message.find("1h behind the server's") != std::string::npos);
  CHECK(judge_clock("clock", 3600s).message.find("ahead of the server's") != std::string::npos);
}

TEST_CASE("the watch limit is named with the command that raises it [B5]") {
  const WatchLimit limit{1000, "fs.inotify.max_user_watches"};
  CHECK(judge_watches(1, limit).level == FindingLevel::Ok);
  CHECK(judge_watches(800, limit).level == FindingLevel::Ok);
  CHECK(judge_watches(801, limit).level == FindingLevel::Warning);
  const Finding over = judge_watches(1001, limit);
  CHECK(over.level == FindingLevel::Warning);
  CHECK(over.message.find("polled") != std::string::npos);
  CHECK(over.what_to_do.find("sysctl -w fs.inotify.max_user_watches=524288") != std::string::npos);
  CHECK(judge_watches(1, {0, "user.max_inotify_watches"}).level == FindingLevel::Warning);
  // No product of a huge limit may wrap round.
  CHECK(judge_watches(5, {~std::uint64_t{0}, "x"}).level == FindingLevel::Ok);
}

TEST_CASE("a ledger on a network file system is an error [C7]") {
  FileSystemKind kind;
  kind.name = "nfs";
  CHECK(judge_state_place("/s", kind).level == FindingLevel::Ok);
  kind.nature = FileSystemNature::Network;
  CHECK(judge_state_place("/s", kind).level == FindingLevel::Error);
  kind.nature = FileSystemNature::Fuse;
  CHECK(judge_state_place("/s", kind).level == FindingLevel::Warning);
}

TEST_CASE("a share is said to be polled") {
  FolderSettings folder;
  FileSystemKind kind;
  kind.name = "cifs";
  CHECK(watched_how(folder, kind) == "watched (cifs)");
  kind.events = ChangeEvents::Partial;
  CHECK(watched_how(folder, kind).starts_with("polled every 10s, since on cifs"));
  folder.poll = 30s;
  CHECK(watched_how(folder, kind) == "polled every 30s, as `poll` says");
}

TEST_CASE("advice fits the failure [E7] [E8] [H3]") {
  struct Row {
    const char* message;
    const char* ca_file;
    const char* advice;
  };
  const Row rows[] = {
      {"cannot find the address of api.example:443: x", "", "DNS"},
      {"cannot connect to 127.0.0.1:1: refused", "", "firewall"},
      {"no connection to a:443 within 10 s", "", "firewall"},
      {"certificate of a not trusted by /etc/x: self-signed certificate", "", "`ca_file`"},
      {"certificate of a not trusted by /ca.pem: self-signed certificate", "/ca.pem", "/ca.pem"},
      {"certificate of a not trusted by /x: certificate is not yet valid", "", "clock"},
      {"certificate of a not trusted by /x: certificate has expired", "", "renew"},
      {"certificate of a not trusted by /x: no alternative certificate subject name", "",
       "host name"},
      {"something else", "", "check `url`"},
  };
  for (const Row& row : rows) {
    INFO(row.message);
    const Error error{ErrorKind::Unreachable, row.message, 0, {}};
    CHECK(advice_for(error, row.ca_file).find(row.advice) != std::string::npos);
  }
}

TEST_CASE("advice about a key never needs the key [M1]") {
  CHECK(advice_for({SecretRef::Where::Env, "CTF"}).starts_with("set CTF in the environment"));
  CHECK(advice_for({SecretRef::Where::File, "/k"}).find(how_to_close("/k")) != std::string::npos);
  CHECK(advice_for({SecretRef::Where::Store, "ctf"}) == "run: millrace secret set ctf");
}

TEST_CASE("sizes are written for people") {
  CHECK(bytes_text(999) == "999 bytes");
  CHECK(bytes_text(12'300'000'000) == "12.3 GB");
  CHECK(bytes_text(5'000'000'000'000'000) == "5000.0 TB");
}

}  // namespace
}  // namespace millrace
