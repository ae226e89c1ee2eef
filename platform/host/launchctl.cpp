#include "platform/host/launchctl.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The number that a text begins with: "78: EX_CONFIG" is 78; `otherwise` if there is none.
template <typename Number>
Number leading_number(std::string_view text, Number otherwise) {
  Number number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} ? number : otherwise;
}

// "Killed: 9" is 9.
int last_number(std::string_view text) {
  const auto blank = text.rfind(' ');
  return leading_number(blank == std::string_view::npos ? text : text.substr(blank + 1), 0);
}

struct StateName {
  std::string_view launchd;
  std::string_view ours;
};
constexpr StateName kStates[] = {
    {"running", "running"},     {"spawn scheduled", "starting"}, {"spawning", "starting"},
    {"xpcproxy", "starting"},   {"SIGTERMed", "stopping"},       {"SIGKILLed", "stopping"},
    {"not running", "stopped"}, {"waiting", "stopped"},          {"exited", "stopped"},
};

std::string name_of_state(std::string_view text) {
  const auto* row = std::ranges::find(kStates, text, &StateName::launchd);
  return row == std::end(kStates) ? printable(text) : std::string(row->ours);
}

void take_setting(LaunchdState& state, std::string_view name, std::string_view value) {
  if (name == "state") state.state = name_of_state(value);
  if (name == "username") state.user = printable(value);
  if (name == "pid") state.process = leading_number<std::uint32_t>(value, 0);
  if (name == "runs") state.runs = leading_number<std::uint32_t>(value, 0);
  if (name == "last exit code") state.exit_status = leading_number(value, 0);
  if (name == "last terminating signal") state.exit_status = 128 + last_number(value);
}

struct Refusal {
  int status;
  std::string_view words;
};
// launchctl ends with an errno or with a number of its own (`launchctl error N`).
constexpr Refusal kRefusals[] = {
    {1, "only an administrator may do this: run it with sudo"},
    {112,
     "nobody is logged in at the screen of this Mac, where agents of users live: log in "
     "there, or install it with --system"},
    {125,
     "nobody is logged in at the screen of this Mac, where agents of users live: log in "
     "there, or install it with --system"},
    {119,
     "launchd was told not to start it: run launchctl enable as `launchctl print-disabled` "
     "names it, or allow it in System Settings > General > Login Items"},
};

}  // namespace

LaunchdState parse_launchctl_print(std::string_view output) {
  LaunchdState state;
  // The service's own lines stand one brace deep; deeper ones are lists and things of others that
  // have a state too.
  int depth = 0;
  bool in_arguments = false;
  while (!output.empty()) {
    const auto end = std::min(output.find('\n'), output.size());
    const std::string_view line = trimmed(output.substr(0, end));
    output.remove_prefix(std::min(end + 1, output.size()));
    if (line == "}") {
      --depth;
      in_arguments = false;
    } else if (in_arguments) {
      state.arguments.emplace_back(line);
    } else if (line.ends_with("{")) {
      ++depth;
      in_arguments = depth == 2 && line == "arguments = {";
    } else if (const auto equals = line.find(" = "); depth == 1 && equals != line.npos) {
      take_setting(state, line.substr(0, equals), trimmed(line.substr(equals + 3)));
    }
  }
  return state;
}

bool says_not_loaded(int exit_status) {
  constexpr int kNoSuchProcess = 3;  // bootout
  constexpr int kNoSuchService = 113;
  return exit_status == kNoSuchProcess || exit_status == kNoSuchService;
}

Error launchctl_error(std::string_view verb, int exit_status, std::string_view said) {
  const auto* known = std::ranges::find(kRefusals, exit_status, &Refusal::status);
  if (known != std::end(kRefusals)) {
    return {ErrorKind::Configuration, std::string(known->words), 0, {}};
  }
  const std::string_view all = trimmed(said.substr(0, said.find_last_not_of('\n') + 1));
  const std::string_view last = all.substr(all.rfind('\n') + 1);
  return {ErrorKind::Environment,
          "launchctl " + std::string(verb) + " ended with status " + std::to_string(exit_status) +
              (last.empty() ? std::string() : ": " + printable(last)),
          0,
          {}};
}

}  // namespace millrace
