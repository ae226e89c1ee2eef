// The configuration file, the state folder, and the agent that may run.
#include "agent/cli/check.hpp"
#include "agent/cli/check_paths.hpp"
#include "agent/cli/check_rules.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/permissions.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

namespace fs = std::filesystem;

std::vector<Finding> check_configuration(const Context& context) {
  const std::string file = path_text(context.config_file);
  std::vector<Finding> findings;
  std::error_code ignored;
  const fs::perms mode = permissions_of(context.config_file, ignored);
  if ((mode & fs::perms::others_write) != fs::perms::none) {
    findings.push_back({FindingLevel::Warning, "configuration", "everybody may change " + file,
                        how_to_keep_from_change(context.config_file)});
  }
  const std::size_t folders = context.settings.folders.size();
  if (folders == 0) {  // `run` does not start
    findings.push_back({FindingLevel::Error, "configuration", file + " has no [[folder]]",
                        "add one, with name, inbox, outbox and to"});
  }
  if (!findings.empty()) return findings;
  return {found_well("configuration", file + ", " + std::to_string(folders) +
                                          (folders == 1 ? " folder" : " folders"))};
}

std::vector<Finding> check_state_dir(const Context& context) {
  const fs::path& folder = context.settings.agent.state_dir;
  if (auto trouble = why_not_writable(folder)) {
    return {{FindingLevel::Error, "state folder", trouble->message, trouble->what_to_do}};
  }
  const auto kind = file_system_kind(nearest_existing(folder));
  if (!kind) {
    return {{FindingLevel::Error, "state folder", kind.error().message,
             "choose another `state_dir` in [agent]"}};
  }
  std::vector<Finding> findings{judge_state_place(path_text(folder), *kind)};
  std::error_code missing;
  const fs::perms mode = permissions_of(folder, missing);
  if (!missing && (mode & (fs::perms::others_write | fs::perms::group_write)) != fs::perms::none) {
    findings.push_back({FindingLevel::Warning, "state folder",
                        "other users may write into " + path_text(folder), how_to_close(folder)});
  }
  return findings;
}

std::vector<Finding> check_agent(const Context& context) {
  const bool runs = instance_runs(context.settings.agent.state_dir);
  return {found_well("agent", runs ? "runs" : "does not run; `millrace run` starts it")};
}

}  // namespace millrace
