#include <string>
#include <vector>

#include "agent/cli/options.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using Words = std::vector<std::string>;

Parsed parse(Words words) {
  words.insert(words.begin(), "millrace");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("an option that may be repeated takes no files that follow it") {
  const Words files{"a.png", "b.png"};
  const Words options{"quality=80", "strip=true", "fit=cover"};
  const Parsed convert = parse({"convert", "--to", "webp", "--options", "quality=80,strip=true",
                                "--options", "fit=cover", "a.png", "b.png"});
  REQUIRE(convert.command != nullptr);
  CHECK(convert.options.files == files);
  CHECK(convert.options.options == options);
  const Parsed fetch = parse({"fetch", "--into", "d", "--allow-fetch", "a.lan:443", "--allow-fetch",
                              "b.lan:8443", "list.txt"});
  REQUIRE(fetch.command != nullptr);
  CHECK(fetch.options.list == "list.txt");
  CHECK(fetch.options.allow_fetch.size() == 2);
}

TEST_CASE("a place that may be asked is HOST:PORT, and is compared in lower case") {
  const Words lower{"files.lan:443"};
  const Parsed serve = parse({"serve", "--allow-fetch", "Files.LAN:443"});
  REQUIRE(serve.command != nullptr);
  CHECK(serve.options.allow_fetch == lower);
  const Parsed fetch = parse({"fetch", "list", "--into", "d", "--allow-fetch", "Files.LAN:443"});
  REQUIRE(fetch.command != nullptr);
  CHECK(fetch.options.allow_fetch == lower);
  for (const Words& words : {Words{"serve", "--allow-fetch", "files.lan"},
                             Words{"fetch", "list", "--into", "d", "--allow-fetch", "files.lan"}}) {
    const Parsed refused = parse(words);
    CHECK(refused.command == nullptr);
    CHECK(refused.status == kWrongUse);
  }
}

TEST_CASE("patience is longer than nought, and of `run` with --once only") {
  for (const Words& words :
       {Words{"run", "--once", "--patience", "0s"}, Words{"run", "--patience", "5s"},
        Words{"convert", "a", "--to", "webp", "--patience", "0ms"},
        Words{"fetch", "list", "--into", "d", "--patience", "0m"}}) {
    const Parsed refused = parse(words);
    CHECK(refused.command == nullptr);
    CHECK(refused.status == kWrongUse);
  }
  const Parsed run = parse({"run", "--once", "--patience", "5s"});
  REQUIRE(run.command != nullptr);
  CHECK(run.options.patience == "5s");
}

}  // namespace millrace
