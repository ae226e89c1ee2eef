#include "platform/host/launchctl.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

// In the form that macOS 12 and newer print, shortened.
constexpr std::string_view kRunning = R"(gui/501/com.millrace.agent = {
	active count = 1
	path = /Users/ada/Library/LaunchAgents/com.millrace.agent.plist
	type = LaunchAgent
	state = running

	program = /usr/local/bin/millrace
	arguments = {
		/usr/local/bin/millrace
		run
		--config
		/Users/ada/Library/Application Support/Millrace/config.toml
	}

	stderr path = /Users/ada/Library/Logs/Millrace.log
	default environment = {
		PATH => /usr/bin:/bin:/usr/sbin:/sbin
	}

	environment = {
		XPC_SERVICE_NAME => com.millrace.agent
	}

	domain = gui/501 [100005]
	minimum runtime = 60
	exit timeout = 20
	runs = 3
	pid = 4711
	immediate reason = speculative
	last exit code = 2

	semaphores = {
		successful exit => 0
	}

	event triggers = {
		com.example.watch => {
			state = waiting
			pid = 1
			runs = 99
		}
	}

	spawn type = daemon (3)
	properties = keepalive | runatload | inferred program
}
)";

std::string with(std::string_view lines) {
  return "system/com.millrace.agent = {\n" + std::string(lines) + "}\n";
}

}  // namespace

TEST_CASE("a running service has its own state, and not that of things inside of it") {
  const LaunchdState state = parse_launchctl_print(kRunning);
  CHECK(state.state == "running");
  CHECK(state.process == 4711);
  CHECK(state.runs == 3);
  CHECK(state.exit_status == 2);
  CHECK(state.user.empty());
  CHECK(state.arguments ==
        std::vector<std::string>{"/usr/local/bin/millrace", "run", "--config",
                                 "/Users/ada/Library/Application Support/Millrace/config.toml"});
}

TEST_CASE("the states of launchd and the ends of a run") {
  struct Row {
    std::string_view lines;
    std::string state;
    int exit_status;
  };
  const auto row = GENERATE(values<Row>({
      {"\tstate = not running\n\tlast exit code = (never exited)\n", "stopped", 0},
      {"\tstate = not running\n\tlast exit code = 78: EX_CONFIG\n", "stopped", 78},
      {"\tstate = spawn scheduled\n\tlast exit code = 2\n", "starting", 2},
      {"\tstate = spawning\n", "starting", 0},
      {"\tstate = SIGTERMed\n\tpid = 12\n", "stopping", 0},
      {"\tstate = waiting\n\tlast terminating signal = Killed: 9\n", "stopped", 137},
      {"\tstate = exited\n\tlast terminating signal = 6\n", "stopped", 134},
      {"\tstate = on \x1b[1mfire\n", "on \\x1b[1mfire", 0},
      {"", "stopped", 0},
  }));
  CAPTURE(row.lines);
  const LaunchdState state = parse_launchctl_print(with(row.lines));
  CHECK(state.state == row.state);
  CHECK(state.exit_status == row.exit_status);
  CHECK(state.process == (row.lines.find("pid") == row.lines.npos ? 0 : 12));
}

TEST_CASE("a daemon's account is named, and numbers that are none count as nothing") {
  const auto state =
      parse_launchctl_print(with("\tusername = ada\n\tgroup = staff\n\tpid = many\n\truns = -1\n"));
  CHECK(state.user == "ada");
  CHECK(state.process == 0);
  CHECK(state.runs == 0);
}

TEST_CASE("any text at all is taken without harm") {
  for (const std::string_view text :
       {"", "}", "}}}\nstate = running", "{", "arguments = {\n{\n}"}) {
    CHECK(parse_launchctl_print(text).state == "stopped");
  }
}

TEST_CASE("how launchctl ends, in words that say what to do") {
  struct Row {
    int status;
    ErrorKind kind;
    std::string_view words;
  };
  const auto row = GENERATE(values<Row>({
      {1, ErrorKind::Configuration, "sudo"},
      {112, ErrorKind::Configuration, "log in there"},
      {125, ErrorKind::Configuration, "--system"},
      {119, ErrorKind::Configuration, "Login Items"},
      {5, ErrorKind::Environment,
       "launchctl bootstrap ended with status 5: Bootstrap failed: 5: Input/output error"},
  }));
  const Error error = launchctl_error("bootstrap", row.status,
                                      "some hint\nBootstrap failed: 5: Input/output error\n");
  CHECK(error.kind == row.kind);
  CHECK(error.message.find(row.words) != std::string::npos);
}

TEST_CASE("an end without a word is told by its number, and not loaded is no error") {
  CHECK(launchctl_error("print", 64, "").message == "launchctl print ended with status 64");
  CHECK(says_not_loaded(113));
  CHECK(says_not_loaded(3));
  CHECK_FALSE(says_not_loaded(0));
  CHECK_FALSE(says_not_loaded(125));
}

}  // namespace millrace
