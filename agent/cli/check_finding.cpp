#include "agent/cli/check_finding.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

struct LevelWords {
  std::string_view label;  // one width, so that the subjects stand in a column
  std::string_view json;
};

LevelWords words_of(FindingLevel level) {
  switch (level) {
    case FindingLevel::Ok:
      return {"ok    ", "ok"};
    case FindingLevel::Warning:
      return {"WARN  ", "warning"};
    case FindingLevel::Error:
      return {"ERROR ", "error"};
  }
  return {"ERROR ", "error"};
}

}  // namespace

std::size_t count_of(std::span<const Finding> findings, FindingLevel level) {
  return static_cast<std::size_t>(std::ranges::count(findings, level, &Finding::level));
}

std::string to_line(const Finding& finding) {
  std::string line(words_of(finding.level).label);
  line += printable(finding.subject) + ": " + printable(finding.message);
  if (!finding.what_to_do.empty()) line += " -> " + printable(finding.what_to_do);
  return line;
}

std::string to_json(std::span<const Finding> findings) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Finding& finding : findings) {
    rows.push_back({{"level", words_of(finding.level).json},
                    {"subject", printable(finding.subject)},
                    {"message", printable(finding.message)},
                    {"what_to_do", printable(finding.what_to_do)}});
  }
  return nlohmann::json{{"findings", std::move(rows)},
                        {"errors", count_of(findings, FindingLevel::Error)},
                        {"warnings", count_of(findings, FindingLevel::Warning)}}
      .dump();
}

}  // namespace millrace
