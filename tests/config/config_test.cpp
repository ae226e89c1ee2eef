#include "config/load.hpp"
#include "config/server_place.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "tests/config/native_text.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace std::chrono_literals;
using millrace::test::native_text;

namespace millrace {
namespace {

const Surroundings kAround{"/home/ann", "/home/ann/.local/state/millrace", true};

LoadResult load(std::string_view toml) {
  return load_settings(toml, "/etc/m/config.toml", kAround);
}

constexpr std::string_view kFolder =
    "[[folder]]\nname = \"photos\"\ninbox = \"~/in\"\noutbox = \"~/out\"\nto = [\"webp\"]\n";

// All messages of a configuration that is refused.
std::string problems(std::string_view toml) {
  const auto loaded = load(toml);
  return loaded ? "" : to_text(loaded.error(), "c");
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("durations, sizes, rates and shares are read exactly or refused") {
  CHECK(parse_duration("300ms") == Duration{300ms});
  CHECK(parse_duration("1h") == Duration{1h});
  CHECK(parse_duration("1.5s") == Duration{1500ms});
  for (const auto* bad : {"", "5", "s", "-1s", "1 s", "5 minutes", "nan s", "1e30h"}) {
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK(parse_size("100MB") == 100'000'000u);
  CHECK(parse_size("1MiB") == 1'048'576u);
  CHECK_FALSE(parse_size("100mb"));
  CHECK(*parse_rate("10/m") == Approx(10.0 / 60));
  CHECK_FALSE(parse_rate("0/s"));
  CHECK(*parse_share("10%") == Approx(0.1));
  CHECK_FALSE(parse_share("110%"));
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(5min) == "5m");
}

TEST_CASE("a small configuration gets every default") {
  const auto settings = load(kFolder);
  REQUIRE(settings);
  const FolderSettings& folder = settings->folders.at(0);
  CHECK(folder.inbox == "/home/ann/in");
  CHECK(folder.archive == "/home/ann/archive");
  CHECK(folder.quarantine == "/home/ann/failed");
  CHECK(folder.output == "{stem}.{to}");
  CHECK(settings->agent.workers == 16);
  CHECK(settings->agent.log_file.empty());
  REQUIRE(settings->converter("local") != nullptr);
  CHECK(settings->converter("local")->embedded);
}

TEST_CASE("paths of any script are what was written") {
  const auto settings = load(
      "[[folder]]\nname = \"a\"\ninbox = \"/Gr\u00f6\u00dfe \U0001f4f7\"\n"
      "outbox = \"/e\u0301\"\nto = [\"webp\"]\n");
  REQUIRE(settings);
  CHECK(generic_path_text(settings->folders.at(0).inbox) == "/Gr\u00f6\u00dfe \U0001f4f7");
  CHECK(generic_path_text(settings->folders.at(0).outbox) == "/e\u0301");
}

TEST_CASE("who wants the local converter where there is none is told what it needs") {
  Surroundings without = kAround;
  without.has_renderer = false;
  const auto refused = load_settings(kFolder, "/etc/m/config.toml", without);
  REQUIRE_FALSE(refused);
  const std::string said = to_text(refused.error(), "c");
  CHECK(holds(said, "millrace-render"));
  CHECK(holds(said, "not in this build"));
  CHECK(holds(said, "[converter.NAME] with a url"));
  const std::string own = "[converter.local]\nurl = \"https://a.example/\"\n";
  CHECK(load_settings(own + std::string(kFolder), "/etc/m/config.toml", without));
}

TEST_CASE("a log file is bounded by size and count [I9]") {
  const auto settings =
      load("[agent]\nlog_file = \"~/agent.log\"\nlog_size = \"1MiB\"\nlog_files = 9\n" +
           std::string(kFolder));
  REQUIRE(settings);
  CHECK(settings->agent.log_file == "/home/ann/agent.log");
  CHECK(settings->agent.log_size == 1'048'576u);
  CHECK(settings->agent.log_files == 9);
  CHECK(holds(problems("[agent]\nlog_files = 0\n"), "from 1 to 100"));
}

TEST_CASE("every problem is reported at once, with line, column and a suggestion") {
  const std::string text = problems(
      "[agent]\nworkers = \"many\"\nstate_dri = \"/x\"\n"
      "[[folder]]\nname = \"a\"\ninbox = \"/i\"\noutbox = \"/o\"\ntargt = [\"webp\"]\nsettle = "
      "5\n");
  CHECK(holds(text, "c:2:11: `workers` must be a whole number from 1 to 256"));
  CHECK(holds(text, "c:3:13: unknown key `state_dri`; did you mean `state_dir`?"));
  CHECK(holds(text, "unknown key `targt`; did you mean `to`?"));
  CHECK(holds(text, "has no `to`"));
  CHECK(holds(text, "c:9:10: `settle` must be \"auto\" or a duration"));
}

TEST_CASE("a duration of nought is refused where nothing could ever be in time") {
  const std::string text = problems(
      "[agent]\nrescan = \"0s\"\n[converter.a]\nurl = \"https://a.example/\"\ntimeout = "
      "\"0ms\"\n" +
      std::string(kFolder) + "poll = \"0m\"\n");
  CHECK(holds(text, "c:2:10: `rescan` must be longer than nought, such as \"2s\" or \"5m\""));
  CHECK(holds(text, "c:5:11: `timeout` must be longer than nought"));
  CHECK(holds(text, "c:11:8: `poll` must be longer than nought"));
}

TEST_CASE("a folder whose name is empty is refused, with its place") {
  std::string nameless(kFolder);
  nameless.replace(nameless.find("photos"), 6, "");
  const std::string said = problems(nameless);
  INFO(said);
  CHECK(said == "c:2:8: `name` must not be empty\n");
}

TEST_CASE("what listens needs an address and a port") {
  for (const auto* section : {"[dashboard]\n", "[events]\nsecret = { env = \"S\" }\n"}) {
    for (const auto* bad : {"\"banana\"", "\"8652\"", "\"127.0.0.1:\"", "\"127.0.0.1:http\"",
                            "\":8652\"", "\"\"", "8652"}) {
      const std::string said = problems(std::string(section) + "listen = " + bad + "\n");
      INFO(section << bad << said);
      CHECK(holds(said, "an address and a port"));
    }
    for (const auto* good : {"\"off\"", "\"127.0.0.1:8652\"", "\"[::1]:8652\""})
      CHECK(problems(std::string(section) + "listen = " + good + "\n").empty());
  }
}

TEST_CASE("the place of a server is a host and a port, in lower case") {
  CHECK(parse_server_place("Files.LAN:443") == "files.lan:443");
  CHECK(parse_server_place("[::1]:8443") == "[::1]:8443");
  for (const auto* bad : {"", "files.lan", ":443", "files.lan:", "files.lan:https", "a b:1",
                          "user@files.lan:443", "https://files.lan:443"}) {
    INFO(bad);
    CHECK_FALSE(parse_server_place(bad));
  }
}

TEST_CASE("no quiet time and a converter that remembers no key are settings") {
  CHECK(problems("[converter.a]\nurl = \"https://a.example/\"\nidempotency_window = \"0s\"\n" +
                 std::string(kFolder) + "settle = \"0s\"\n")
            .empty());
}

TEST_CASE("broken TOML says where") {
  CHECK(holds(problems("[agent]\nworkers = \n"), "c:2:"));
  CHECK_FALSE(problems("[agent\n").empty());
}

TEST_CASE("an outbox, archive or quarantine in its own inbox is refused [A16]") {
  for (const std::string key : {"archive", "quarantine"}) {
    CHECK(holds(problems(std::string(kFolder) + key + " = \"~/in/x\"\n"), "lies in its own inbox"));
  }
  CHECK(holds(
      problems("[[folder]]\nname=\"a\"\ninbox=\"/i\"\noutbox=\"/i/../i/out\"\nto=[\"webp\"]\n"),
      "lies in its own inbox"));
}

TEST_CASE("a state folder in an inbox that is read is refused [J6]") {
  const auto folder = [](const std::string& state, const std::string& more) {
    return "[agent]\nstate_dir=\"" + state +
           "\"\n[[folder]]\nname=\"a\"\ninbox=\"/i\"\noutbox=\"/o\"\nto=[\"webp\"]\n" + more;
  };
  CHECK(holds(problems(folder("/i/x/state", "")), "state\" lies in its inbox"));
  CHECK(holds(problems(folder("/i", "recursive=false\n")), "lies in its inbox"));
  CHECK(problems(folder("/i/x/state", "recursive=false\n")).empty());
  CHECK(problems(folder("/ix", "")).empty());
}

TEST_CASE("two folders on one inbox, nested inboxes and rings are refused, chains are not [A16]") {
  const auto folder = [](std::string name, std::string in, std::string out) {
    return "[[folder]]\nname=\"" + name + "\"\ninbox=\"" + in + "\"\noutbox=\"" + out +
           "\"\nto=[\"webp\"]\n";
  };
  CHECK(
      holds(problems(folder("a", "/i", "/o") + folder("b", "/i", "/p")), "also the inbox of `a`"));
  CHECK(
      holds(problems(folder("a", "/i", "/o") + folder("b", "/i/x", "/p")), "lies in the inbox of"));
  CHECK(holds(problems(folder("a", "/i", "/j") + folder("b", "/j", "/i")), "come back to it"));
  CHECK(problems(folder("a", "/i", "/j") + folder("b", "/j", "/k")).empty());
}

TEST_CASE("a key never stands in the file [M2]") {
  const std::string text =
      problems("[converter.a]\nurl = \"https://a.example/\"\napi_key = \"CANARY-1234\"\n");
  CHECK(holds(text, "the key itself never stands in this file"));
  CHECK_FALSE(holds(text, "CANARY"));
}

TEST_CASE("plain http is refused except to this machine") {
  CHECK(holds(problems("[converter.a]\nurl = \"http://a.example/\"\n"), "not encrypted"));
  CHECK(holds(problems("[converter.a]\nurl = \"http://127.0.0.1.example/\"\n"), "not encrypted"));
  CHECK(problems("[converter.a]\nurl = \"http://127.0.0.1:8080/v1/convert\"\n").empty());
  CHECK(problems("[converter.a]\nurl = \"http://[::1]:8080/v1/convert\"\n").empty());
  CHECK(holds(problems("[converter.a]\nurl = \"https://u:p@a.example/\"\n"), "user or password"));
}

TEST_CASE("templates must tell results apart") {
  CHECK(holds(problems(std::string(kFolder) + "output = \"{stm}.{to}\"\n"), "{stm}"));
  CHECK(holds(problems(std::string(kFolder) + "output = \"out.{to}\"\n"),
              "all results would get one"));
  CHECK(holds(problems(std::string(kFolder) + "ready_marker = \"done\"\n"), "must hold {name}"));
}

TEST_CASE("a folder with via = download takes lists and gives files and a report") {
  const std::string lists =
      "[[folder]]\nname=\"lists\"\ninbox=\"/l\"\noutbox=\"/f\"\nvia=\"download\"\n";
  const auto settings = load(lists);
  REQUIRE(settings);
  const FolderSettings& folder = settings->folders.at(0);
  CHECK(settings->takes_lists(folder));
  CHECK(folder.to == std::vector<std::string>{"json"});
  CHECK(folder.output == "{name}.result.{to}");
  CHECK(folder.include ==
        std::vector<std::string>{"*.urls", "*.metalink", "*.meta4", "*.url", "*.webloc"});
  CHECK(settings->converter("download")->account == "download");
  CHECK(load(lists + "include=[\"*.csv\"]\n")->folders[0].include ==
        std::vector<std::string>{"*.csv"});
  // Without such a folder there is no such converter.
  CHECK(load(kFolder)->converter("download") == nullptr);

  for (const std::string wrong : {"to=[\"json\"]", "output=\"{stem}\"", "options={a=1}"})
    CHECK(problems(lists + wrong + "\n") ==
          "c:6:" + std::to_string(wrong.find('=') + 2) + ": `" + wrong.substr(0, wrong.find('=')) +
              "` has no meaning with via = \"download\": what comes of a list is its files and "
              "the report NAME.result.json; take it out\n");
  CHECK(holds(problems("[[folder]]\nname=\"l\"\ninbox=\"/l\"\noutbox=\"s3://bucket/x/\"\n"
                       "via=\"download\"\n"),
              "`outbox` must be a folder of this machine"));
  CHECK(holds(problems("[[folder]]\nname=\"l\"\ninbox=\"/l\"\noutbox=\"/l\"\nvia=\"download\"\n"),
              "lies in its own inbox"));
}

TEST_CASE("links are sent of a bucket's objects only") {
  const std::string api =
      "[converter.api]\nurl=\"https://api.example/c\"\nupload=\"url\"\n"
      "[[folder]]\nname=\"f\"\noutbox=\"/o\"\nto=[\"webp\"]\nvia=\"api\"\n";
  CHECK(load(api + "inbox=\"s3://bucket/in/\"\n")->converter("api")->upload == Upload::Url);
  CHECK(holds(problems(api + "inbox=\"/i\"\n"), "files of a folder have none"));
  CHECK(holds(problems("[converter.local]\nupload=\"url\"\n"), "is for services elsewhere"));
}

TEST_CASE("a folder that takes what another one downloads takes no reports") {
  const auto excluded = [](const std::string& more) {
    const auto settings = load(
        "[[folder]]\nname=\"lists\"\ninbox=\"/l\"\noutbox=\"/f/sub\"\nvia=\"download\"\n"
        "[[folder]]\nname=\"a\"\ninbox=\"/f\"\noutbox=\"/o\"\nto=[\"webp\"]\n" +
        more);
    REQUIRE(settings);
    CHECK(settings->folders[0].exclude.empty());
    return settings->folders[1].exclude;
  };
  CHECK(excluded("") == std::vector<std::string>{"*.result.json"});
  CHECK(excluded("exclude=[\"x\"]\n") == std::vector<std::string>{"x", "*.result.json"});
  CHECK(excluded("include=[\"*.result.json\"]\n").empty());
  CHECK(load(kFolder)->folders[0].exclude.empty());
}

TEST_CASE("the keys of [converter.download] and of the others are kept apart") {
  const auto settings = load(
      "[converter.download]\nallow_fetch=[\"Files.LAN:443\"]\npatience=\"1h\"\nca_file=\"ca\"\n"
      "concurrency=2\nrate=\"5/s\"\ntimeout=\"9s\"\nmax_size=\"1GB\"\n");
  REQUIRE(settings);
  const ConverterSettings& download = *settings->converter("download");
  CHECK(download.downloads);
  CHECK(download.allow_fetch == std::vector<std::string>{"files.lan:443"});
  CHECK(download.patience == Duration{1h});
  CHECK(download.ca_file == native_text("/etc/m/ca"));
  const auto headed = load(
      "[converter.download]\n"
      "headers={\"Files.LAN:443\"={Authorization={file=\"token\"},X-Key={env=\"K\"}}}\n");
  REQUIRE(headed);
  const auto& headers = headed->converter("download")->headers;
  REQUIRE(headers.size() == 2);
  CHECK(headers[0] == DownloadHeader{"files.lan:443",
                                     "Authorization",
                                     {SecretRef::Where::File, native_text("/etc/m/token")}});
  CHECK(headers[1].value == SecretRef{SecretRef::Where::Env, "K"});
  const struct {
    const char *value, *says;
  } bad[] = {{"{\"a:443\"=5}", "must be a table such as"},
             {"{\"a:443\"={A=\"CANARY\"}}", "the key itself never stands in this file"},
             {"{\"https://a\"={A={env=\"K\"}}}", "write HOST:PORT"},
             {"{\"a:443\"={Range={env=\"K\"}}}", "\"Range\", which cannot be set"}};
  for (const auto& row : bad) {
    const std::string said =
        problems(std::string("[converter.download]\nheaders=") + row.value + "\n");
    CHECK(holds(said, row.says));
    CHECK_FALSE(holds(said, "CANARY"));
  }
  for (const auto* wrong : {"api_key={env=\"K\"}", "account=\"a\"", "monthly_budget=5"})
    CHECK(holds(problems(std::string("[converter.download]\n") + wrong + "\n"),
                "has no meaning in [converter.download]"));
  CHECK(holds(problems("[converter.download]\nallow_fetch=[\"https://x\"]\n"), "write HOST:PORT"));
  CHECK(holds(problems("[converter.a]\nurl=\"https://a/\"\npatience=\"1h\"\n"),
              "is for [converter.download] alone"));
  // Who has a url speaks the API, whatever the name.
  const auto api = load("[converter.download]\nurl=\"https://a.example/\"\n" +
                        std::string(kFolder) + "via=\"download\"\n");
  REQUIRE(api);
  CHECK_FALSE(api->takes_lists(api->folders[0]));
}

TEST_CASE("the example is a valid configuration and the README names every key") {
  const std::string root = MILLRACE_SOURCE_DIR;
  const auto example = load_settings_file(root + "/config/example.toml", kAround);
  if (!example) FAIL(to_text(example.error(), "example.toml"));
  const std::string readme = test::read_file(root + "/README.md");
  for (const KeyInfo& key : known_keys()) {
    INFO(key.section << " " << key.name);
    CHECK(holds(readme, "`" + std::string(key.name) + "`"));
  }
}

}  // namespace millrace
