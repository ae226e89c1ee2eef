#include "tests/api_server/faults.hpp"

#include <array>
#include <cstdlib>
#include <sstream>

namespace millrace::test {
namespace {

struct FaultName {
  std::string_view name;
  FaultKind kind;
};
constexpr auto kFaults =
    std::to_array<FaultName>({{"ok", FaultKind::None},
                              {"reset", FaultKind::Reset},
                              {"close-after-upload", FaultKind::CloseAfterUpload},
                              {"status", FaultKind::Status},
                              {"early", FaultKind::Early},
                              {"redirect", FaultKind::Redirect},
                              {"html", FaultKind::Html},
                              {"json", FaultKind::Json},
                              {"empty", FaultKind::Empty},
                              {"magic", FaultKind::Magic},
                              {"truncate", FaultKind::Truncate},
                              {"chunked", FaultKind::Chunked},
                              {"close-delimited", FaultKind::CloseDelimited},
                              {"slow", FaultKind::Slow},
                              {"endless", FaultKind::Endless},
                              {"big-headers", FaultKind::BigHeaders},
                              {"hang", FaultKind::Hang},
                              {"stall-upload", FaultKind::StallUpload},
                              {"no-continue", FaultKind::NoContinue},
                              {"partial", FaultKind::Partial},
                              {"swap", FaultKind::Swap},
                              {"id", FaultKind::ForeignId},
                              {"delay", FaultKind::Delay}});

const FaultName* find_fault(std::string_view name) {
  for (const FaultName& row : kFaults) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

void take_argument(Fault& fault, const std::string& name, const std::string& value) {
  if (name != "header") {
    fault.arguments[name] = value;
    return;
  }
  const auto colon = value.find(':');
  fault.headers.emplace_back(value.substr(0, colon),
                             colon == std::string::npos ? "" : value.substr(colon + 1));
}

}  // namespace

std::string Fault::text(const std::string& argument, const std::string& otherwise) const {
  const auto found = arguments.find(argument);
  return found == arguments.end() ? otherwise : found->second;
}

double Fault::number(const std::string& argument, double otherwise) const {
  const auto found = arguments.find(argument);
  return found == arguments.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
}

bool FaultScript::take_condition(Rule& rule, const std::string& name, const std::string& value) {
  const auto whole = [](const std::string& text) {
    return std::strtoull(text.c_str(), nullptr, 10);
  };
  const auto range = [&] {
    const auto dash = value.find('-');
    if (dash == std::string::npos) return Range{whole(value), whole(value)};
    return Range{whole(value.substr(0, dash)), whole(value.substr(dash + 1))};
  };
  if (name == "seq")
    rule.seq = range();
  else if (name == "try")
    rule.attempt = range();
  else if (name == "every")
    rule.every = whole(value);
  else if (name == "times")
    rule.times = whole(value);
  else if (name == "p")
    rule.chance = std::strtod(value.c_str(), nullptr);
  else if (name == "key")
    rule.key = value;
  else
    return false;
  return true;
}

Result<FaultScript> FaultScript::parse(std::string_view script, std::uint64_t seed) {
  FaultScript parsed;
  parsed.random_.seed(seed);
  std::istringstream lines{std::string(script)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    Rule rule;
    bool named = false;
    while (words >> word) {
      const auto equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
      if (named) {
        take_argument(rule.fault, name, value);
      } else if (const FaultName* row = find_fault(name)) {
        rule.fault.kind = row->kind;
        rule.fault.name = name;
        rule.fault.value = value;
        named = true;
      } else if (!take_condition(rule, name, value)) {
        return fail(ErrorKind::Input, "line " + std::to_string(number) + ": unknown word " + word);
      }
    }
    if (named) parsed.rules_.push_back(std::move(rule));
  }
  return parsed;
}

Fault FaultScript::pick(std::uint64_t seq, std::uint64_t attempt, std::string_view key) {
  const auto within = [](const std::optional<Range>& range, std::uint64_t n) {
    return !range || (n >= range->from && n <= range->to);
  };
  for (Rule& rule : rules_) {
    if (!within(rule.seq, seq) || !within(rule.attempt, attempt)) continue;
    if (rule.every && (*rule.every == 0 || seq % *rule.every != 0)) continue;
    if (!rule.key.empty() && !key.starts_with(rule.key)) continue;
    if (rule.times && *rule.times == 0) continue;
    if (rule.chance && std::uniform_real_distribution<>()(random_) >= *rule.chance) continue;
    if (rule.times) --*rule.times;
    return rule.fault;
  }
  return {};
}

}  // namespace millrace::test
