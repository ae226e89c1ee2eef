#include "tests/api_server/options.hpp"

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace millrace::test {
namespace {

// Returns false if the value reads otherwise than it should.
using Take = bool (*)(ServerOptions& options, const std::string& value);

struct Row {
  std::string_view name;
  std::string_view value;  // as the usage shows it; empty: takes none
  std::string_view help;
  Take take;
};

std::int64_t whole(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }

bool take_script(ServerOptions& o, const std::string& path) {
  std::ifstream in(path);
  o.script.assign(std::istreambuf_iterator<char>(in), {});
  return in.good() || in.eof();
}

// Kept until the rate itself is known; see parse_options().
bool take_rate_semantics(ServerOptions&, const std::string& value) {
  return value == "fixed" || value == "sliding" || value == "bucket";
}

bool take_rate_headers(ServerOptions& o, const std::string& value) {
  static constexpr std::array<std::string_view, 4> kNames{"none", "retry-after", "ratelimit",
                                                          "all"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == value) return o.rate_headers = static_cast<RateHeaders>(i), true;
  }
  return false;
}

bool take_latency(ServerOptions& o, const std::string& value) {
  const auto rule = LatencyRule::parse(value);
  if (!rule) return false;
  const double ms_per_mb = o.latency.ms_per_mb;
  o.latency = *rule;
  o.latency.ms_per_mb = ms_per_mb;
  return true;
}

const auto kRows = std::to_array<Row>({
    {"--port", "N", "TCP port on 127.0.0.1; 0 takes a free one",
     [](ServerOptions& o, const std::string& v) {
       return o.port = static_cast<int>(whole(v)), true;
     }},
    {"--unix", "PATH", "listens there as well",
     [](ServerOptions& o, const std::string& v) { return o.unix_socket = v, true; }},
    {"--latency-ms", "MS", "time of every conversion", take_latency},
    {"--latency", "lognormal:MEDIAN_MS:SIGMA:SEED", "drawn anew for each", take_latency},
    {"--ms-per-mb", "MS", "further time by the size of the input",
     [](ServerOptions& o, const std::string& v) {
       return o.latency.ms_per_mb = std::strtod(v.c_str(), nullptr), true;
     }},
    {"--script", "FILE", "fault script, see faults.hpp", take_script},
    {"--seed", "N", "of the faults by chance",
     [](ServerOptions& o, const std::string& v) {
       return o.seed = static_cast<std::uint64_t>(whole(v)), true;
     }},
    {"--bill-book", "FILE", "appends a JSON line for every POST",
     [](ServerOptions& o, const std::string& v) { return o.bill_book = v, true; }},
    {"--rate-limit", "N/s|N/m", "answers 429 above it",
     [](ServerOptions& o, const std::string& v) {
       return (o.rate = RateLimit::parse(v, RateSemantics::Fixed)).has_value();
     }},
    {"--rate-semantics", "fixed|sliding|bucket", "how requests are counted", take_rate_semantics},
    {"--rate-headers", "none|retry-after|ratelimit|all", "what an answer tells", take_rate_headers},
    {"--quota", "N", "billed conversions that are left",
     [](ServerOptions& o, const std::string& v) { return o.quota = whole(v), true; }},
    {"--quota-status", "402|429", "answer when none is left",
     [](ServerOptions& o, const std::string& v) {
       return o.quota_status = static_cast<int>(whole(v)), true;
     }},
    {"--require-token", "T", "401 without this bearer token",
     [](ServerOptions& o, const std::string& v) { return o.token = v, true; }},
    {"--key-window-ms", "MS", "an idempotency key is forgotten after that",
     [](ServerOptions& o, const std::string& v) {
       return o.key_window = std::chrono::milliseconds{whole(v)}, true;
     }},
    {"--date-offset", "SECONDS", "the server's clock is ahead by that",
     [](ServerOptions& o, const std::string& v) { return o.date_offset = whole(v), true; }},
    {"--output-bytes", "N", "least size of an answer",
     [](ServerOptions& o, const std::string& v) {
       return o.output_bytes = static_cast<std::size_t>(whole(v)), true;
     }},
    {"--die-with-parent", "", "ends when the starting process ends",
     [](ServerOptions& o, const std::string&) { return o.die_with_parent = true; }},
});

}  // namespace

std::optional<LatencyRule> LatencyRule::parse(std::string_view text) {
  LatencyRule rule;
  const std::string copy(text);
  if (!copy.starts_with("lognormal:")) {
    char* end = nullptr;
    rule.median_ms = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != '\0') return std::nullopt;
    return rule;
  }
  char* at = nullptr;
  rule.median_ms = std::strtod(copy.c_str() + 10, &at);
  if (*at == ':') rule.sigma = std::strtod(at + 1, &at);
  if (*at == ':') rule.seed = std::strtoull(at + 1, &at, 10);
  if (*at != '\0') return std::nullopt;
  return rule;
}

std::string usage() {
  std::string text = "millrace_api_server: a stand-in conversion API for tests\n";
  for (const Row& row : kRows) {
    text += "  " + std::string(row.name) + ' ' + std::string(row.value) + "  " +
            std::string(row.help) + '\n';
  }
  return text;
}

Result<ServerOptions> parse_options(int argc, char** argv) {
  ServerOptions options;
  std::string rate, semantics = "fixed";
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const Row* row = nullptr;
    for (const Row& candidate : kRows) {
      if (candidate.name == name) row = &candidate;
    }
    if (row == nullptr) return fail(ErrorKind::Input, "unknown option " + name + '\n' + usage());
    if (!row->value.empty() && i + 1 == argc)
      return fail(ErrorKind::Input, name + " needs a value");
    const std::string value = row->value.empty() ? "" : argv[++i];
    if (!row->take(options, value)) return fail(ErrorKind::Input, name + ": " + value);
    if (name == "--rate-limit") rate = value;
    if (name == "--rate-semantics") semantics = value;
  }
  if (!rate.empty()) {
    options.rate = RateLimit::parse(rate, semantics == "fixed"     ? RateSemantics::Fixed
                                          : semantics == "sliding" ? RateSemantics::Sliding
                                                                   : RateSemantics::Bucket);
  }
  return options;
}

}  // namespace millrace::test
