// status, failures, explain, retry, rescan, pause, resume, reload: asked of the running agent, or
// of its ledger when none runs.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/agent_view.hpp"
#include "agent/cli/context.hpp"
#include "agent/cli/fetch_status.hpp"
#include "agent/cli/text_view.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

using Render = std::string (*)(const nlohmann::json& answer);

int show(const Options& options, const Result<std::string>& answer, Render render) {
  if (!answer) {
    say_error(options, answer.error());
    return exit_status_for(answer.error());
  }
  if (options.json) {
    std::cout << *answer << "\n";
  } else {
    std::cout << render(nlohmann::json::parse(*answer));
  }
  return kAllWell;
}

std::unexpected<Error> nothing_known() {
  return fail(ErrorKind::Configuration,
              "no agent runs and there is no ledger yet; `millrace run` starts one");
}

using FromLedger = Result<std::string> (*)(AgentView& view, const Options& options);

// Asks the running agent, or the ledger alone.
Result<std::string> answer_of(const Context& context, const Options& options,
                              const std::string& path, FromLedger from_ledger) {
  auto answer = ask_agent(context, "GET", path);
  if (answer || answer.error().kind != ErrorKind::Vanished) return answer;
  std::error_code ignored;
  if (!std::filesystem::exists(ledger_file(context.settings), ignored)) return nothing_known();
  auto reader = open_ledger_reader(ledger_file(context.settings));
  if (!reader) return with_context(reader.error(), "cannot read the ledger");
  AgentView view(nullptr, context.settings, std::move(*reader));
  return from_ledger(view, options);
}

// Where batches of `millrace convert` keep their ledgers.
fs::path state_dir_of_batches(const Options& options, const fs::path& usual) {
  if (options.state_dir.empty()) return usual;
  return full_path(native_path(options.state_dir), current_folder());
}

// The configuration; where there is none, what `millrace convert` without one keeps.
std::expected<Context, int> context_with_batches(const Options& options) {
  const auto folders = standard_folders();
  if (!folders || !options.config.empty()) return load_context(options);
  const auto file = config_file_of(options, *folders);
  const fs::path batches = state_dir_of_batches(options, folders->state_dir) / "batch";
  std::error_code ignored;
  if (fs::exists(file, ignored) || !fs::exists(batches, ignored)) return load_context(options);
  auto defaults = load_settings("", file, surroundings(*folders));
  return Context{*folders, file, std::move(*defaults)};
}

bool is_beneath(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

// `path` as the configuration would write it: a shell in a folder that a link leads to knows
// another name of it. Done here, not by the agent, which must not hang on a share for it.
fs::path as_configured(const fs::path& path, const Settings& settings) {
  const auto beneath = [&](const FolderSettings& folder) { return is_beneath(path, folder.inbox); };
  if (std::ranges::any_of(settings.folders, beneath)) return path;
  std::error_code problem;
  // Of the file itself no link is followed: what it is, is the question.
  const fs::path real = fs::weakly_canonical(path.parent_path(), problem) / path.filename();
  if (problem) return path;
  for (const FolderSettings& folder : settings.folders) {
    const fs::path inbox = fs::weakly_canonical(folder.inbox, problem);
    if (!problem && is_beneath(real, inbox)) {
      return (folder.inbox / real.lexically_relative(inbox)).lexically_normal();
    }
  }
  return path;
}

// A change: through the running agent; with none, `alone` does it under the instance lock.
int change(const Options& options, const std::string& path,
           Result<std::string> (*alone)(Ledger& ledger, const Options& options), Render render) {
  const auto context = load_context(options);
  if (!context) return context.error();
  auto answer = ask_agent(*context, "POST", path);
  if (answer || answer.error().kind != ErrorKind::Vanished || alone == nullptr) {
    return show(options, answer, render);
  }
  std::error_code ignored;
  if (!std::filesystem::exists(ledger_file(context->settings), ignored)) {
    return show(options, nothing_known(), render);
  }
  const auto lock = lock_instance(context->settings.agent.state_dir);
  if (!lock) return show(options, std::unexpected(lock.error()), render);
  auto ledger = open_ledger({ledger_file(context->settings), SystemClock{}.wall_now()});
  if (!ledger) return show(options, std::unexpected(ledger.error()), render);
  return show(options, alone(**ledger, options), render);
}

}  // namespace

// Downloads that run need neither an agent nor a configuration.
int run_status(const Options& options) {
  const auto root = state_root(options);
  if (!root) return root.error();
  const auto fetches = running_fetches(*root);
  nlohmann::json status{{"running", false},
                        {"folders", nlohmann::json::array()},
                        {"converters", nlohmann::json::array()}};
  std::error_code ignored;
  const auto folders = standard_folders();
  const bool configured =
      !options.config.empty() || !folders || fs::exists(config_file_of(options, *folders), ignored);
  if (configured || fetches.empty()) {
    const auto context = load_context(options);
    if (!context) return context.error();
    const auto answer = answer_of(*context, options, "/v1/status",
                                  [](AgentView& view, const Options&) { return view.status(); });
    if (!answer && (fetches.empty() || answer.error().kind != ErrorKind::Configuration))
      return show(options, answer, status_text);
    if (answer) status = nlohmann::json::parse(*answer);
  }
  status["fetches"] = fetches;
  return show(options, status.dump(), status_text);
}

int run_failures(const Options& options) {
  const auto context = context_with_batches(options);
  if (!context) return context.error();
  const auto answer = answer_of(*context, options, "/v1/failures",
                                [](AgentView& view, const Options&) { return view.failures(); });
  nlohmann::json all{{"failures", nlohmann::json::array()},
                     {"more", 0},
                     {"possible_extra_bills", nlohmann::json::array()}};
  if (answer) all = nlohmann::json::parse(*answer);
  const bool batches = add_failures_of_batches(
      all, state_dir_of_batches(options, context->settings.agent.state_dir));
  // Where no agent has run, batches may have.
  if (!answer && !batches) return show(options, answer, failures_text);
  return show(options, all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
              failures_text);
}

int run_explain(const Options& options) {
  if (options.name.empty()) {
    say_error(options, {ErrorKind::Configuration, "which file? its name is empty", 0, {}});
    return kWrongUse;
  }
  const auto context = load_context(options);
  if (!context) return context.error();
  Options absolute = options;
  if (!parse_bucket_url(options.name)) {
    const fs::path path = full_path(native_path(options.name), current_folder());
    absolute.name = path_text(as_configured(path, context->settings));
  }
  const auto answer =
      answer_of(*context, absolute, "/v1/explain?file=" + percent_encode(absolute.name),
                [](AgentView& view, const Options& o) { return view.explain(o.name); });
  return show(absolute, answer, explain_text);
}

int run_retry(const Options& options) {
  if (!options.all && options.name.empty()) {
    say_error(options, {ErrorKind::Configuration,
                        "which one? `millrace failures` lists them; --all takes every one",
                        0,
                        {}});
    return kWrongUse;
  }
  const std::string id = options.all ? "all" : options.name;
  const auto alone = [](Ledger& ledger, const Options& o) -> Result<std::string> {
    const auto job = o.all ? Result<JobId>(0) : job_number(o.name);
    if (!job) return std::unexpected(job.error());
    const auto count = ledger.retry(*job, SystemClock{}.wall_now());
    if (!count) return std::unexpected(count.error());
    if (*job != 0 && *count == 0) {
      return fail(ErrorKind::Configuration, "job " + o.name + " is not among the failures");
    }
    if (auto done = ledger.flush(); !done) return std::unexpected(done.error());
    return nlohmann::json{{"retried", *count}}.dump();
  };
  return change(options, "/v1/retry?id=" + percent_encode(id), alone, [](const auto& answer) {
    return std::to_string(answer.value("retried", 0)) + " will be tried again\n";
  });
}

int run_rescan(const Options& options) {
  return change(options, "/v1/rescan?folder=" + percent_encode(options.name), nullptr,
                [](const auto&) { return std::string("scanning\n"); });
}

int run_pause(const Options& options) {
  return change(options, "/v1/pause?name=" + percent_encode(options.name), nullptr,
                [](const auto&) { return std::string("paused\n"); });
}

int run_resume(const Options& options) {
  return change(options, "/v1/resume?name=" + percent_encode(options.name), nullptr,
                [](const auto&) { return std::string("going on\n"); });
}

int run_reload(const Options& options) {
  return change(options, "/v1/reload", nullptr,
                [](const auto&) { return std::string("reloaded\n"); });
}

}  // namespace millrace
