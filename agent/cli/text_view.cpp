#include "agent/cli/text_view.hpp"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace millrace {
namespace {

using Json = nlohmann::json;

std::string number(const Json& row, const char* name) {
  return std::to_string(row.value(name, std::int64_t{0}));
}

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string folder_text(const Json& folder) {
  std::string text = folder.value("name", "") + ": " + folder.value("inbox", "") + " -> " +
                     folder.value("outbox", "") + "\n";
  if (folder.contains("health")) {
    const Json& health = folder["health"];
    text += "  " + health.value("state", "");
    if (const auto how = health.value("how", ""); !how.empty()) text += " (" + how + ")";
    if (health.contains("why")) text += ": " + health.value("why", "");
    text += "\n";
    for (const char* side : {"inbox", "outbox"}) {
      const std::string key = std::string(side) + "_stalled_s";
      if (health.contains(key)) {
        text += "  the " + std::string(side) + " has not answered for " +
                fixed(health[key].get<double>(), 0) + " s\n";
      }
    }
  }
  if (folder.value("paused", false)) {
    const std::string why = folder.value("pause_reason", "");
    text += why.empty() ? "  paused by hand\n" : "  paused: " + why + "\n";
  }
  if (folder.contains("blocked")) text += "  held back: " + folder.value("blocked", "") + "\n";
  return text + "  " + number(folder, "waiting") + " waiting, " + number(folder, "converting") +
         " converting, " + number(folder, "delivered") + " delivered, " +
         number(folder, "skipped") + " skipped, " + number(folder, "failed") + " failed\n";
}

std::string converter_text(const Json& converter) {
  std::string text = "converter " + converter.value("name", "") + ": " +
                     converter.value("state", "") + ", " + number(converter, "in_flight") + " of " +
                     number(converter, "limit") + " in flight";
  if (converter.contains("reason")) text += " (" + converter.value("reason", "") + ")";
  if (converter.contains("opens_in_s")) {
    text += ", again in " + fixed(converter["opens_in_s"].get<double>(), 0) + " s";
  }
  text += "\n";
  if (converter.value("p50_ms", 0.0) > 0) {
    text += "  latency " + fixed(converter["p50_ms"], 0) + " ms (p50), " +
            fixed(converter["p95_ms"], 0) + " ms (p95), " + fixed(converter["p99_ms"], 0) +
            " ms (p99), " + fixed(converter.value("files_per_minute", 0.0), 1) +
            " files a minute\n";
  }
  if (converter.contains("quota_remaining")) {
    text += "  quota left: " + number(converter, "quota_remaining") + "\n";
  }
  if (converter.contains("budget_left")) {
    text += "  left of this month's budget: " + number(converter, "budget_left") + "\n";
  }
  return text;
}

std::string failure_text(const Json& row) {
  return row.value("folder", "") + "/" + row.value("file", "") + " to " + row.value("to", "") +
         ": " + row.value("reason", "") + " (" + row.value("kind", "") + ", " +
         requests_text(row.value("attempts", 0)) + ")\n";
}

// Of a list that was cut.
std::string more_text(const Json& lists, const char* name) {
  return lists.value(name, std::int64_t{0}) > 0 ? number(lists, name) + " more\n" : "";
}

std::string extra_bill_text(const Json& row) {
  return "  " + row.value("folder", "") + "/" + row.value("file", "") + " to " +
         row.value("to", "") + ": " + row.value("state", "") + ", " +
         number(row, "possible_extra_bills") + " of " + requests_text(row.value("attempts", 0)) +
         "\n";
}

std::string fetch_text(const Json& fetch) {
  const auto done = fetch.value("fetched", std::int64_t{0}) +
                    fetch.value("skipped", std::int64_t{0}) +
                    fetch.value("failed", std::int64_t{0});
  const auto bytes = fetch.value("bytes", std::uint64_t{0});
  const double seconds = fetch.value("seconds", 0.0);
  std::string text = "fetch: " + fetch.value("list", "") + " -> " + fetch.value("into", "") +
                     "\n  " + std::to_string(done) + " of " +
                     std::to_string(done + fetch.value("waiting", std::int64_t{0})) +
                     (fetch.value("whole_list", false) ? " files, " : " files read so far, ") +
                     number(fetch, "failed") + " failed, " + rough_size(bytes);
  if (seconds > 0.5) {
    text += ", " + fixed(60 * static_cast<double>(done) / seconds, 0) + " files a minute, " +
            rough_size(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)) +
            " a second";
  }
  return text + "\n";
}

std::string events_text(const Json& events) {
  std::string text = "events at " + events.value("listen", "") + ": " + number(events, "accepted") +
                     " messages, " + number(events, "looked_at") + " objects looked at";
  for (const char* trouble : {"refused", "unreadable"})
    if (events.value(trouble, 0) > 0) text += ", " + number(events, trouble) + " " + trouble;
  return text + "\n";
}

}  // namespace

std::string status_text(const Json& status) {
  std::string text;
  for (const Json& fetch : status.value("fetches", Json::array())) text += fetch_text(fetch);
  if (status.value("running", false))
    text += "the agent runs\n";
  else if (status["folders"].empty())
    text += "no agent runs\n";
  else
    text += "no agent runs; this is what the ledger remembers\n";
  for (const Json& folder : status["folders"]) text += folder_text(folder);
  for (const Json& converter : status["converters"]) text += converter_text(converter);
  if (status.contains("events")) text += events_text(status["events"]);
  if (status.value("possible_extra_bills", 0) > 0) {
    text += number(status, "possible_extra_bills") +
            " requests may have been billed twice; `millrace failures` lists them\n";
  }
  return text;
}

std::string requests_text(int count) {
  return std::to_string(count) + (count == 1 ? " request" : " requests");
}

std::string failures_text(const Json& failures) {
  const Json& agents = failures["failures"];
  const Json batches = failures.value("batches", Json::array());
  const Json extra = failures.value("possible_extra_bills", Json::array());
  std::string text = agents.empty() && batches.empty() ? "nothing has failed\n" : "";
  for (const Json& row : agents) text += number(row, "id") + "  " + failure_text(row);
  text += more_text(failures, "more");
  if (!agents.empty()) text += "`millrace retry ID` or `millrace retry --all` tries again\n";
  for (const Json& row : batches) text += failure_text(row);
  text += more_text(failures, "more_in_batches");
  if (!batches.empty()) text += "of `millrace convert`, which takes a file again once it changes\n";
  if (!extra.empty()) text += "requests that may have been billed twice:\n";
  for (const Json& row : extra) text += extra_bill_text(row);
  return text;
}

std::string explain_text(const Json& explanation) {
  std::string text =
      explanation.value("file", "") + " in folder " + explanation.value("folder", "") + "\n";
  for (const Json& line : explanation["says"]) text += "  " + line.get<std::string>() + "\n";
  return text;
}

std::string rough_duration(Duration d) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  if (s < 100) return std::to_string(s) + " s";
  if (s < 6000) return std::to_string((s + 30) / 60) + " min";
  return std::to_string(s / 3600) + " h " + std::to_string(s % 3600 / 60) + " min";
}

std::string rough_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits{"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return fixed(value, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

double milliseconds_of(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::string latency_text(Duration d) {
  const double ms = milliseconds_of(d);
  if (ms < 999.5) return fixed(ms, 0) + " ms";
  return ms < 99'950 ? fixed(ms / 1000, 1) + " s" : rough_duration(d);
}

std::string share_text(double share) { return fixed(100 * share, share < 0.0995 ? 1 : 0) + "%"; }

std::string a_minute_text(double per_second) {
  const double a_minute = 60 * per_second;
  return fixed(a_minute, a_minute < 9.95 ? 1 : 0) + " a minute";
}

}  // namespace millrace
