#include "agent/cli/agent_view.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "agent/cli/text_view.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/pipeline/intake.hpp"
#include "agent/watch/name_filter.hpp"
#include "config/bucket_url.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kMostRows = 1000;
constexpr auto kRateWindow = std::chrono::minutes{5};
constexpr std::pair<Evidence, const char*> kLearnt[] = {
    {Evidence::Closed, ""}, {Evidence::Moved, " after a file was moved into place"}};
constexpr auto kLatencyWindow = std::chrono::hours{1};

// Names of files need not be UTF-8, and JSON must be.
std::string document(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json time_json(const std::optional<WallTime>& time) {
  return time ? Json(to_unix_ms(*time)) : Json(nullptr);
}

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

std::string_view state_name(GateState state) {
  switch (state) {
    case GateState::Open:
      return "open";
    case GateState::Paused:
      return "paused";
    case GateState::Stopped:
      return "stopped";
    case GateState::CircuitOpen:
      return "unreachable";
  }
  return "open";
}

Json job_json(const JobView& job) {
  Json json{{"id", job.id},
            {"folder", job.candidate.folder},
            {"file", printable(job.candidate.name)},
            {"size", job.candidate.size},
            {"to", job.target},
            {"via", job.converter},
            {"state", job.state},
            {"attempts", job.attempts},
            {"seen", time_json(job.seen)},
            {"finished", time_json(job.finished)}};
  if (!job.kind.empty()) json["kind"] = job.kind;
  if (!job.reason.empty()) json["reason"] = job.reason;
  if (job.http_status != 0) json["http_status"] = job.http_status;
  if (!job.output_name.empty()) json["output"] = printable(job.output_name);
  if (job.next_attempt) json["next_attempt"] = time_json(job.next_attempt);
  if (!job.source_action.empty()) json["source"] = job.source_action;
  if (job.possible_extra_bills > 0) json["possible_extra_bills"] = job.possible_extra_bills;
  return json;
}

Json rows_json(const std::vector<JobView>& rows) {
  Json list = Json::array();
  for (const JobView& row : rows) list.push_back(job_json(row));
  return list;
}

// Adds the failures of one ledger under `list`, how many more it holds under `more`, and its jobs
// with possible extra bills.
Result<void> add_failures(Json& all, LedgerReader& reader, const char* list, const char* more) {
  const auto failures = reader.failures(kMostRows);
  if (!failures) return std::unexpected(failures.error());
  const auto counts = reader.counts_by_folder();
  if (!counts) return std::unexpected(counts.error());
  const auto extra = reader.jobs_with_possible_extra_bills(kMostRows);
  if (!extra) return std::unexpected(extra.error());
  std::int64_t left_out = -std::ssize(*failures);
  for (const auto& [folder, count] : *counts) left_out += count.failed;
  // The agent may write between two questions.
  all[more] = all.value(more, std::int64_t{0}) + std::max<std::int64_t>(0, left_out);
  for (const JobView& job : *failures) all[list].push_back(job_json(job));
  for (const JobView& job : *extra) all["possible_extra_bills"].push_back(job_json(job));
  return {};
}

Json health_json(const FolderStatus& status) {
  const RootHealth& health = status.health;
  Json json{{"state", std::string(to_string(health.state))},
            {"how", health.how},
            {"since", to_unix_ms(health.since)},
            {"last_scan", time_json(health.last_scan)},
            {"files_seen", health.files_seen},
            {"not_taken", health.refused},
            {"scans", health.scans},
            {"losses", health.losses}};
  if (!health.why.empty()) json["why"] = printable(health.why);
  if (status.inbox_stalled) json["inbox_stalled_s"] = seconds(*status.inbox_stalled);
  if (status.outbox_stalled) json["outbox_stalled_s"] = seconds(*status.outbox_stalled);
  return json;
}

Json gate_json(const GateView& gate) {
  Json json{{"state", std::string(state_name(gate.state))},
            {"in_flight", gate.in_flight},
            {"limit", gate.limit}};
  if (!gate.reason.empty()) json["reason"] = printable(gate.reason);
  if (gate.opens_in) json["opens_in_s"] = seconds(*gate.opens_in);
  if (gate.rate_per_second) json["rate_per_second"] = *gate.rate_per_second;
  if (gate.quota_remaining) json["quota_remaining"] = *gate.quota_remaining;
  if (gate.quota_limit) json["quota_limit"] = *gate.quota_limit;
  if (gate.budget_left) json["budget_left"] = *gate.budget_left;
  return json;
}

// `file` relative to the inbox, `/` between parts, if it lies beneath it.
std::optional<Name> name_beneath(const fs::path& inbox, const fs::path& file) {
  const fs::path relative = file.lexically_relative(inbox);
  if (relative.empty() || *relative.begin() == "..") return std::nullopt;
  return generic_path_text(relative);
}

// The same in a bucket, where nothing in a key is resolved. Without a NAME it is of [s3.default].
std::optional<Name> name_in_bucket(const fs::path& inbox, std::string url) {
  constexpr std::string_view kScheme = "s3://";
  const auto at = url.find_first_of("@/", kScheme.size());
  if (at == url.npos || url[at] == '/') url.insert(kScheme.size(), "default@");
  const std::string beneath = path_text(inbox) + '/';
  if (!url.starts_with(beneath) || url.size() == beneath.size()) return std::nullopt;
  return url.substr(beneath.size());
}

NameRules name_rules(const FolderSettings& folder) {
  NameRules rules;
  rules.include = folder.include;
  rules.exclude = folder.exclude;
  if (folder.own_in_flight) rules.in_flight = folder.in_flight;
  rules.recursive = folder.recursive;
  rules.ready_marker = folder.ready_marker;
  return rules;
}

// `type` unknown: nobody could look.
std::optional<std::string> why_not_taken(const FolderSettings& folder, const Name& name,
                                         fs::file_type type) {
  const NameFilter filter(name_rules(folder));
  if (type == fs::file_type::directory) {
    const auto shut = filter.why_not_enter(name);
    return shut ? "a folder that is not looked into: " + *shut
                : "a folder; the files in it are taken, each on its own";
  }
  if (const auto why = filter.why_not(name)) return "not taken: " + *why;
  switch (type) {
    case fs::file_type::symlink:
      return "not taken: it is a symbolic link, and links are not followed";
    case fs::file_type::regular:
    case fs::file_type::not_found:
    case fs::file_type::unknown:
      return std::nullopt;
    default:
      return "not taken: it is not a regular file";
  }
}

std::string inboxes_text(const std::vector<FolderSettings>& folders) {
  constexpr std::size_t kMost = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(folders.size(), kMost); ++i) {
    text += (i == 0 ? "; inboxes are " : ", ") + printable(path_text(folders[i].inbox));
  }
  return text + (folders.size() > kMost ? ", ..." : "");
}

std::string paused_text(const FolderView& folder) {
  if (folder.pause_reason.empty()) return "the folder is paused by hand";
  return "the folder is paused: " + printable(folder.pause_reason);
}

std::string sentence_for(const JobView& job) {
  std::string text = job.target + ": " + job.state;
  if (!job.output_name.empty() && job.state == "delivered") {
    text += " as " + printable(job.output_name);
  }
  if (!job.reason.empty()) text += " (" + job.reason + ")";
  if (job.attempts > 0) text += ", " + requests_text(job.attempts);
  return text;
}

}  // namespace

Result<JobId> job_number(std::string_view text) {
  JobId job = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), job);
  if (problem == std::errc{} && end == text.data() + text.size() && job > 0) return job;
  return fail(ErrorKind::Configuration,
              "\"" + printable(text) + "\" is no job number; `millrace failures` lists them");
}

AgentView::AgentView(Engine* engine, Settings settings, std::unique_ptr<LedgerReader> reader,
                     std::function<Result<void>()> reload_settings)
    : engine_(engine),
      settings_(std::move(settings)),
      reader_(std::move(reader)),
      reload_settings_(std::move(reload_settings)) {}

Settings AgentView::settings() const {
  return engine_ != nullptr ? engine_->settings() : settings_;
}

Result<std::string> AgentView::status() {
  const WallTime now = SystemClock{}.wall_now();
  // The engine before the ledger: a job that ends in between is told as under way, and none that
  // has ended as waiting.
  std::map<std::string, FolderStatus> live;
  if (engine_ != nullptr) {
    for (FolderStatus& one : engine_->folders()) live.emplace(one.view.name, std::move(one));
  }
  auto counts = reader_->counts_by_folder();
  if (!counts) return std::unexpected(counts.error());
  Json json{{"running", engine_ != nullptr}, {"version", MILLRACE_VERSION}};
  json["folders"] = Json::array();
  for (const FolderSettings& folder : settings().folders) {
    const FolderCounts& count = (*counts)[folder.name];
    Json row{{"name", folder.name},
             {"inbox", printable(path_text(folder.inbox))},
             {"outbox", printable(path_text(folder.outbox))},
             {"waiting", count.waiting},
             {"converting", count.converting},
             {"delivered", count.delivered},
             {"skipped", count.skipped},
             {"failed", count.failed},
             {"cancelled", count.cancelled}};
    if (const auto at = live.find(folder.name); at != live.end()) {
      const FolderView& view = at->second.view;
      row["health"] = health_json(at->second);
      row["paused"] = view.paused;
      if (!view.pause_reason.empty()) row["pause_reason"] = printable(view.pause_reason);
      // The ledger learns of a job's begin later than the engine, and of its end as well.
      const std::int64_t converting = std::max<std::int64_t>(count.converting, view.converting);
      row["converting"] = converting;
      row["waiting"] = std::max<std::int64_t>(0, count.waiting + count.converting - converting);
      if (!view.blocked_reason.empty()) row["blocked"] = printable(view.blocked_reason);
    }
    json["folders"].push_back(std::move(row));
  }
  json["converters"] = Json::array();
  if (engine_ != nullptr) {
    for (const ConverterStatus& converter : engine_->converters()) {
      Json row = gate_json(converter.gate);
      row["name"] = converter.name;
      if (const auto latency = reader_->latency(converter.name, now - kLatencyWindow)) {
        row["p50_ms"] = latency->p50_ms;
        row["p95_ms"] = latency->p95_ms;
        row["p99_ms"] = latency->p99_ms;
      }
      if (const auto recent = reader_->attempts_since(converter.name, now - kRateWindow)) {
        row["files_per_minute"] = static_cast<double>(*recent) / kRateWindow.count();
      }
      json["converters"].push_back(std::move(row));
    }
    const auto wire = engine_->connections();
    json["connections"] = {
        {"requests", wire.requests}, {"opened", wire.connections}, {"tls_resumed", wire.resumed}};
  }
  if (events_ != nullptr && settings().events.listen != "off") {
    json["events"] = {{"listen", settings().events.listen},
                      {"accepted", events_->accepted.load()},
                      {"refused", events_->refused.load()},
                      {"unreadable", events_->unreadable.load()},
                      {"looked_at", events_->looked_at.load()}};
  }
  if (const auto extra = reader_->possible_extra_bills()) json["possible_extra_bills"] = *extra;
  return document(json);
}

Result<std::string> AgentView::failures() {
  Json all{{"failures", Json::array()}, {"possible_extra_bills", Json::array()}};
  if (auto added = add_failures(all, *reader_, "failures", "more"); !added)
    return std::unexpected(added.error());
  return document(all);
}

bool add_failures_of_batches(Json& all, const fs::path& state_dir) {
  all["batches"] = Json::array();
  all["more_in_batches"] = 0;
  bool any = false;
  std::error_code problem;
  const fs::directory_iterator end;
  for (fs::directory_iterator at(state_dir / "batch", problem); at != end; at.increment(problem)) {
    auto reader = open_ledger_reader(at->path() / "ledger.db");
    if (!reader) continue;  // of a list of downloads, or of another version of the program
    if (add_failures(all, **reader, "batches", "more_in_batches")) any = true;
  }
  return any;
}

Result<std::string> AgentView::explain(const std::string& file) {
  const bool in_bucket = parse_bucket_url(file).has_value();
  const fs::path path =
      in_bucket ? native_path(file) : full_path(native_path(file), current_folder());
  for (const FolderSettings& folder : settings().folders) {
    if (in_bucket != bucket_of(folder.inbox).has_value()) continue;
    const auto name =
        in_bucket ? name_in_bucket(folder.inbox, file) : name_beneath(folder.inbox, path);
    if (!name) continue;
    if (*name == ".") {
      return fail(ErrorKind::Configuration, printable(path_text(path)) +
                                                " is the inbox of folder `" + folder.name +
                                                "` itself; name a file in it");
    }
    Json json{{"file", printable(path_text(path))}, {"folder", folder.name}};
    Json says = Json::array();
    const std::optional<std::string> stalled = why_stalled(folder.name);
    if (stalled) says.push_back(*stalled);
    std::error_code ignored;
    const auto type =
        stalled || in_bucket ? fs::file_type::unknown : fs::symlink_status(path, ignored).type();
    if (type == fs::file_type::not_found) says.push_back("there is no such file now");
    if (const auto why = why_not_taken(folder, *name, type)) says.push_back(*why);
    if (engine_ != nullptr) {
      if (const auto settling = engine_->explain(folder.name, *name)) says.push_back(*settling);
    }
    const auto rows = reader_->history(folder.name, *name);
    if (!rows) return std::unexpected(rows.error());
    for (const JobView& row : *rows) says.push_back(sentence_for(row));
    for (const std::string& why : why_waiting(folder, *rows)) says.push_back(why);
    for (const auto& [why, words] : kLearnt) {
      const auto quiet = reader_->recall(quiet_key(folder.name, why));
      if (!quiet || !*quiet) continue;
      says.push_back("this folder has learnt to wait for " + **quiet + " without change" + words);
    }
    if (rows->empty() && says.empty()) {
      says.push_back(engine_ != nullptr ? "not seen yet" : "not seen yet; no agent runs");
    }
    json["says"] = std::move(says);
    json["history"] = rows_json(*rows);
    return document(json);
  }
  return fail(ErrorKind::Configuration, printable(path_text(path)) +
                                            " lies in no inbox of the configuration" +
                                            inboxes_text(settings().folders));
}

// Asked before a file is looked at: the look would hang as well.
std::optional<std::string> AgentView::why_stalled(const std::string& folder) const {
  if (engine_ == nullptr) return std::nullopt;
  for (const FolderStatus& status : engine_->folders()) {
    if (status.view.name != folder) continue;
    if (status.inbox_stalled || status.health.state == RootState::Stalled) {
      return "the inbox is stalled: a call on it has not returned";
    }
    if (status.outbox_stalled) return "the outbox is stalled: a call on it has not returned";
  }
  return std::nullopt;
}

// What keeps the waiting targets of a file from being converted now.
std::vector<std::string> AgentView::why_waiting(const FolderSettings& folder,
                                                const std::vector<JobView>& rows) const {
  // What was cut off while it was delivered goes on once its outbox can be looked at.
  const auto waits = [](const JobView& row) {
    return row.state == "waiting" || row.state == "delivering";
  };
  if (std::ranges::none_of(rows, waits)) return {};
  if (engine_ == nullptr) return {"it goes on when an agent runs"};
  std::vector<std::string> why;
  for (const FolderStatus& status : engine_->folders()) {
    if (status.view.name != folder.name) continue;
    if (status.view.paused) why.push_back(paused_text(status.view));
    if (const auto& held = status.view.blocked_reason; !held.empty()) {
      why.push_back("the folder is held back: " + printable(held));
    }
  }
  for (const ConverterStatus& converter : engine_->converters()) {
    if (converter.name != folder.via || converter.gate.state == GateState::Open) continue;
    why.push_back("converter " + converter.name + " is " +
                  std::string(state_name(converter.gate.state)) + ": " +
                  printable(converter.gate.reason));
  }
  return why;
}

Result<std::string> AgentView::retry(const std::string& id) {
  const auto job = id.empty() || id == "all" ? Result<JobId>(0) : job_number(id);
  if (!job) return std::unexpected(job.error());
  const auto count = engine_->retry(*job);
  if (!count) return std::unexpected(count.error());
  if (*job != 0 && *count == 0) {
    return fail(ErrorKind::Configuration, "job " + id + " is not among the failures");
  }
  return document(Json{{"retried", *count}});
}

Result<std::string> AgentView::rescan(const std::string& folder) {
  if (!engine_->rescan(folder.empty() ? std::nullopt : std::optional(folder))) {
    return fail(ErrorKind::Configuration, "there is no folder `" + printable(folder) + "`");
  }
  return document(Json{{"rescan", folder.empty() ? "all" : folder}});
}

Result<std::string> AgentView::pause(const std::string& name) {
  if (!engine_->pause(name)) {
    return fail(ErrorKind::Configuration,
                "there is no folder or converter `" + printable(name) + "`");
  }
  return document(Json{{"paused", name}});
}

Result<std::string> AgentView::resume(const std::string& name) {
  if (!engine_->resume(name)) {
    return fail(ErrorKind::Configuration,
                "there is no folder or converter `" + printable(name) + "`");
  }
  return document(Json{{"resumed", name}});
}

Result<std::string> AgentView::reload() {
  if (auto done = reload_settings_(); !done) return std::unexpected(done.error());
  return document(Json{{"reloaded", true}});
}

}  // namespace millrace
