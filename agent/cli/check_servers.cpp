// Whether the servers answer and are trusted, and what their clocks say.
#include <filesystem>
#include <memory>
#include <optional>

#include "agent/cli/check.hpp"
#include "agent/cli/check_rules.hpp"
#include "agent/convert/api_converter.hpp"
#include "agent/transfer/answer_times.hpp"
#include "agent/transfer/curl_http.hpp"

namespace millrace {
namespace {

constexpr Duration kPatience = std::chrono::seconds{10};

// Said before the server is asked: the TLS library's own words for it help nobody.
std::optional<Finding> trust_file_finding(const ConverterSettings& converter,
                                          FindingLevel trouble) {
  std::error_code ignored;
  if (converter.ca_file.empty() || std::filesystem::is_regular_file(converter.ca_file, ignored)) {
    return std::nullopt;
  }
  return Finding{trouble, "server of " + converter.name,
                 "`ca_file` " + converter.ca_file + " is not there",
                 "put the certificate of the server's authority (PEM) there, or change `ca_file`"};
}

// One question under way; all are asked at once, so that dead servers cost 10 s together.
struct Probe {
  const ConverterSettings* converter;
  std::string origin;
  Result<std::unique_ptr<HttpExchange>> exchange;
};

// The root of the server, not the API: no key is sent and nothing can be billed.
HttpRequest question(const ConverterSettings& converter, const std::string& origin) {
  HttpRequest request;
  request.method = "GET";
  request.url = origin + "/";
  request.ca_file = converter.ca_file;
  request.timeouts = {kPatience, kPatience, kPatience};
  return request;
}

std::string trust_text(const ConverterSettings& converter) {
  if (converter.url.starts_with("http://")) return "not encrypted, on this machine";
  return "certificate trusted by " +
         (converter.ca_file.empty() ? "the system's authorities" : converter.ca_file);
}

std::optional<Finding> clock_finding(const std::string& origin, const HttpHead& head,
                                     WallTime now) {
  const auto text = head.header("date");
  const auto theirs = text ? parse_http_date(*text) : std::nullopt;
  if (!theirs) return std::nullopt;
  return judge_clock("clock against " + origin, now - *theirs);
}

void finish(Probe& probe, FindingLevel trouble, std::vector<Finding>& findings) {
  const ConverterSettings& converter = *probe.converter;
  const std::string subject = "server of " + converter.name;
  const auto head =
      probe.exchange ? (*probe.exchange)->head() : std::unexpected(probe.exchange.error());
  if (!head) {
    findings.push_back(
        {trouble, subject, head.error().message, advice_for(head.error(), converter.ca_file)});
    return;
  }
  findings.push_back(found_well(subject, probe.origin + " answers, " + trust_text(converter)));
  if (auto clock = clock_finding(probe.origin, *head, SystemClock{}.wall_now())) {
    if (clock->level == FindingLevel::Error) clock->level = trouble;
    findings.push_back(std::move(*clock));
  }
}

}  // namespace

std::vector<Finding> check_servers(const Context& context) {
  auto http = start_curl_http({});
  if (!http) return {};  // said by the check of the keys
  std::vector<Probe> probes;
  std::vector<Finding> findings;
  for (const ConverterSettings& converter : context.settings.converters) {
    if (converter.embedded) continue;
    if (auto missing = trust_file_finding(converter, trouble_with(context, converter))) {
      findings.push_back(std::move(*missing));
      continue;
    }
    if (converter.downloads) continue;  // it has no server of its own
    const std::string origin = account_of_url(converter.url);
    probes.push_back({&converter, origin, (*http)->start(question(converter, origin), {})});
  }
  for (Probe& probe : probes) finish(probe, trouble_with(context, *probe.converter), findings);
  return findings;
}

}  // namespace millrace
