#include "platform/host/launchd_service_posix.hpp"

#include <algorithm>
#include <utility>

#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// Behaves as launchd and launchctl are documented to (launchctl(1)); one pause is one turn of it.
class FakeLaunchd {
 public:
  int refuse_bootstrap = 0;  // with this status
  int print_status = 0;      // of every print, where it is not 0
  int ends_with = -1;        // the program's status in its first second; -1: it goes on
  int turns_to_end = 0;      // how long a bootout takes
  std::vector<std::string> said;
  std::string list;  // what the property list said as it was loaded

  LaunchdTools tools() {
    return {[this](const std::vector<std::string>& words) { return take(words); },
            [this](std::chrono::milliseconds) { turn(); }};
  }
  bool loaded() const { return loaded_; }
  // The program ends by itself.
  void end(int status) {
    process_ = 0;
    exit_status_ = status;
  }

 private:
  Result<LaunchctlEnd> take(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
    if (words[0] != "print") said.push_back(line);
    if (words[0] == "enable") return LaunchctlEnd{};
    if (words[0] == "bootstrap") return bootstrap(words.at(2));
    if (words[0] == "print" && print_status != 0) return LaunchctlEnd{print_status, "no\n"};
    if (!loaded_) return LaunchctlEnd{words[0] == "bootout" ? 3 : 113, "Could not find service\n"};
    if (words[0] == "kickstart") {
      spawning_ = true;
      return LaunchctlEnd{};
    }
    if (words[0] == "bootout") {
      ending_ = turns_to_end;
      if (ending_ == 0) loaded_ = false;
      return LaunchctlEnd{ending_ == 0 ? 0 : 36, ending_ == 0 ? "" : "Operation now in progress"};
    }
    return LaunchctlEnd{0, print()};
  }
  LaunchctlEnd bootstrap(const std::string& path) {
    if (refuse_bootstrap != 0) return {refuse_bootstrap, "Bootstrap failed\n"};
    if (loaded_ || !fs::exists(native_path(path))) return {5, "Input/output error\n"};
    list = test::read_file(native_path(path));
    loaded_ = true;
    runs_ = 0;
    spawning_ = true;
    return {};
  }
  void turn() {
    if (ending_ > 0 && --ending_ == 0) loaded_ = false;
    if (process_ != 0 && ends_with >= 0) end(ends_with);
    if (std::exchange(spawning_, false)) process_ = 4700 + ++runs_;
  }
  std::string print() const {
    std::string text = "gui/501/com.millrace.agent = {\n";
    text += process_ != 0 ? "\tstate = running\n" : "\tstate = spawn scheduled\n";
    text += "\targuments = {\n\t\t/bin/millrace\n\t\trun\n\t}\n";
    text += "\truns = " + std::to_string(runs_) + "\n";
    if (process_ != 0) text += "\tpid = " + std::to_string(process_) + "\n";
    text += "\tlast exit code = " + std::to_string(exit_status_) + "\n}\n";
    return text;
  }

  bool loaded_ = false;
  bool spawning_ = false;  // what is asked for is begun a turn later
  int ending_ = 0;
  int runs_ = 0;
  int process_ = 0;
  int exit_status_ = 0;
};

struct Machine {
  test::Scratch home;
  FakeLaunchd launchd;
  std::unique_ptr<ServiceManager> manager;
  fs::path list;

  explicit Machine(bool daemon = false, std::string account = "ada") {
    LaunchdPlace place{.domain = daemon ? "system" : "gui/501",
                       .folder = home / "Library/LaunchAgents",
                       .error_file = home / "Library/Logs/Millrace.log",
                       .home = home.path(),
                       .account = std::move(account),
                       .daemon = daemon};
    list = place.folder / "com.millrace.agent.plist";
    manager = make_launchd_manager(std::move(place), launchd.tools());
  }

  ServiceSetup setup() const {
    ServiceSetup setup;
    setup.program = home / "millrace";
    setup.config_file = home / "config.toml";
    setup.used = {home / "Documents/In", home / "Out"};
    return setup;
  }
};

}  // namespace

TEST_CASE("install writes the property list, loads it and sees the agent run") {
  Machine mac;
  const auto installed = mac.manager->install(mac.setup());
  REQUIRE(installed);
  CHECK(installed->account == "ada");
  CHECK(mac.launchd.said == std::vector<std::string>{"enable gui/501/com.millrace.agent",
                                                     "bootstrap gui/501 " + path_text(mac.list)});
  CHECK(mac.launchd.list.find(path_text(mac.home / "config.toml")) != std::string::npos);
  CHECK(mac.launchd.list.find("UserName") == std::string::npos);
  CHECK(installed->next.find("it runs") == 0);
}

TEST_CASE("install says which folders macOS protects, and from which program [I10]") {
  Machine mac;
  const auto installed = mac.manager->install(mac.setup());
  REQUIRE(installed);
  REQUIRE(installed->notes.size() == 1);
  CHECK(installed->notes[0].find("Documents") != std::string::npos);
  CHECK(installed->notes[0].find("Files and Folders") != std::string::npos);
  CHECK(installed->notes[0].find(path_text(mac.home / "millrace")) != std::string::npos);
}

TEST_CASE("a daemon is told its user, and that it needs another leave and its keys in files [M6]") {
  Machine mac(true);
  const auto installed = mac.manager->install(mac.setup());
  REQUIRE(installed);
  CHECK(mac.launchd.said.back() == "bootstrap system " + path_text(mac.list));
  CHECK(mac.launchd.list.find("<key>UserName</key>\n  <string>ada</string>") != std::string::npos);
  REQUIRE(installed->notes.size() == 2);
  CHECK(installed->notes[0].find("Full Disk Access") != std::string::npos);
  CHECK(installed->notes[1].find("millrace secret set") != std::string::npos);
  CHECK(mac.manager->status()->start == "with the machine");
}

TEST_CASE("what is installed is not installed again") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  const std::string before = test::read_file(mac.list);
  const auto again = mac.manager->install(mac.setup());
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == ErrorKind::Exists);
  CHECK(test::read_file(mac.list) == before);
  REQUIRE(mac.manager->stop());
  CHECK(mac.manager->install(mac.setup()).error().kind == ErrorKind::Exists);
}

TEST_CASE("a list that launchd refuses is not left behind") {
  Machine mac;
  mac.launchd.refuse_bootstrap = 125;
  const auto refused = mac.manager->install(mac.setup());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("--system") != std::string::npos);
  CHECK_FALSE(fs::exists(mac.list));
}

TEST_CASE("an agent that ends as it starts is installed, and the note says where its words are") {
  Machine mac;
  mac.launchd.ends_with = 2;
  const auto installed = mac.manager->install(mac.setup());
  REQUIRE(installed);
  CHECK(installed->notes.back().find("status 2") != std::string::npos);
  CHECK(installed->notes.back().find("Millrace.log") != std::string::npos);
  CHECK(installed->next.find("millrace check") == 0);
  CHECK(fs::exists(mac.list));
}

TEST_CASE("stop and start take the agent out of launchd and back, and twice is no error") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  CHECK(mac.manager->start().value() == ServiceChange::AlreadySo);
  CHECK(mac.manager->stop().value() == ServiceChange::Done);
  CHECK_FALSE(mac.launchd.loaded());
  CHECK(mac.manager->stop().value() == ServiceChange::AlreadySo);
  CHECK(mac.manager->status()->state == "stopped");
  CHECK(mac.manager->status()->command.find("com.millrace.agent.plist") != std::string::npos);
  CHECK(mac.manager->start().value() == ServiceChange::Done);
  CHECK(mac.launchd.loaded());
}

TEST_CASE("a stop that takes its time is waited for") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  mac.launchd.turns_to_end = 100;
  CHECK(mac.manager->stop().value() == ServiceChange::Done);
  CHECK_FALSE(mac.launchd.loaded());
}

TEST_CASE("a stop that never ends is told") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  mac.launchd.turns_to_end = 1'000'000;
  CHECK(mac.manager->stop().error().kind == ErrorKind::Environment);
}

TEST_CASE("what ended by itself is kicked, and its old status is not taken for the new one") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  mac.launchd.end(4);
  CHECK(mac.manager->status()->exit_status == 4);
  CHECK(mac.manager->status()->state == "starting");
  CHECK(mac.manager->start().value() == ServiceChange::Done);
  CHECK(mac.launchd.said.back() == "kickstart gui/501/com.millrace.agent");
  mac.launchd.end(4);
  mac.launchd.ends_with = 3;
  const auto failed = mac.manager->start();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find("status 3") != std::string::npos);
}

TEST_CASE("the status of a running agent") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  const auto info = mac.manager->status();
  REQUIRE(info);
  CHECK(info->state == "running");
  CHECK(info->process == 4701);
  CHECK(info->exit_status == 0);
  CHECK(info->account == "ada");
  CHECK(info->command == "/bin/millrace run");
  CHECK(info->start == "at login");
}

TEST_CASE("uninstall stops the agent and removes its list, whether it runs or not") {
  for (const bool running : {true, false}) {
    Machine mac;
    REQUIRE(mac.manager->install(mac.setup()));
    if (!running) REQUIRE(mac.manager->stop());
    mac.launchd.turns_to_end = running ? 3 : 0;
    CHECK(mac.manager->uninstall());
    CHECK_FALSE(mac.launchd.loaded());
    CHECK_FALSE(fs::exists(mac.list));
    CHECK(mac.manager->uninstall().error().kind == ErrorKind::Vanished);
  }
}

TEST_CASE("where no user is known a daemon is removed, and none is installed") {
  Machine mac(true, "");
  CHECK(mac.manager->install(mac.setup()).error().kind == ErrorKind::Configuration);
  CHECK(mac.launchd.said.empty());
  fs::create_directories(mac.list.parent_path());
  test::write_file(mac.list, "of an earlier installation");
  CHECK(mac.manager->status()->state == "stopped");
  CHECK(mac.manager->uninstall());
  CHECK_FALSE(fs::exists(mac.list));
}

TEST_CASE("what is not installed can be neither asked for nor started, stopped or removed") {
  Machine mac;
  CHECK(mac.manager->status().error().kind == ErrorKind::Vanished);
  CHECK(mac.manager->start().error().kind == ErrorKind::Vanished);
  CHECK(mac.manager->stop().error().kind == ErrorKind::Vanished);
  CHECK(mac.manager->uninstall().error().kind == ErrorKind::Vanished);
}

TEST_CASE("an answer of launchctl that is none ends every action before it changes a thing") {
  Machine mac;
  REQUIRE(mac.manager->install(mac.setup()));
  const std::size_t before = mac.launchd.said.size();
  mac.launchd.print_status = 125;
  CHECK_FALSE(mac.manager->status());
  CHECK_FALSE(mac.manager->start());
  CHECK_FALSE(mac.manager->stop());
  CHECK_FALSE(mac.manager->uninstall());
  CHECK_FALSE(mac.manager->install(mac.setup()));
  CHECK(mac.launchd.said.size() == before);
  CHECK(fs::exists(mac.list));
}

}  // namespace millrace
