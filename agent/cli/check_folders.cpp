// Inboxes, and the folders that are written to.
#include <optional>

#include "agent/cli/check.hpp"
#include "agent/cli/check_paths.hpp"
#include "agent/cli/check_rules.hpp"
#include "agent/pipeline/bucket_root.hpp"
#include "config/bucket_url.hpp"
#include "config/values.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/drives.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool takes_files_away(const FolderSettings& folder) {
  return folder.after != AfterSuccess::Keep || folder.failed != AfterFailure::Keep;
}

Finding error_in(std::string subject, PathTrouble trouble) {
  return {FindingLevel::Error, std::move(subject), std::move(trouble.message),
          std::move(trouble.what_to_do)};
}

// A folder may be listed and its files be out of reach all the same (no search permission).
std::optional<PathTrouble> why_not_readable(const fs::path& inbox) {
  auto directory = real_file_system().open_directory(inbox);
  if (!directory) return PathTrouble{directory.error().message, "check the disk or share"};
  std::optional<std::string> first;
  const auto listed = (*directory)->list("", [&](const Directory::Entry& entry) {
    first = entry.name;
    return Visit::Stop;
  });
  Result<void> looked = listed;
  if (looked && first) {
    const auto info = (*directory)->info(*first);
    if (!info && info.error().kind == ErrorKind::Environment)
      looked = std::unexpected(info.error());
  }
  if (looked) return std::nullopt;
  return PathTrouble{path_text(inbox) + " cannot be read: " + looked.error().message,
                     how_to_let_read(inbox)};
}

Finding inbox_finding(const FolderSettings& folder) {
  std::string subject = "inbox of " + folder.name;
  if (bucket_of(folder.inbox)) {
    return found_well(std::move(subject), printable(path_text(folder.inbox)) +
                                              ", not asked here; the agent lists it every " +
                                              duration_text(folder.poll.value_or(kBucketPoll)));
  }
  auto trouble = why_not_there(folder.inbox);
  std::error_code ignored;
  // An inbox whose files stay where they are need not be writable.
  if (trouble && !takes_files_away(folder) && fs::is_directory(folder.inbox, ignored)) {
    trouble.reset();
  }
  if (!trouble) trouble = why_not_readable(folder.inbox);
  if (trouble) return error_in(std::move(subject), std::move(*trouble));
  const auto kind = file_system_kind(folder.inbox);
  if (!kind) {
    return error_in(std::move(subject), {kind.error().message, "check the disk or share"});
  }
  return found_well(std::move(subject),
                    path_text(folder.inbox) + ", " + watched_how(folder, *kind));
}

// One folder that results or sources are written to.
struct Output {
  std::string subject;
  fs::path path;
  enum class Made { ByTheUser, ByTheAgent } made;
};

// Those of this machine.
std::vector<Output> outputs_of(const FolderSettings& folder) {
  const auto made = folder.make_outbox ? Output::Made::ByTheAgent : Output::Made::ByTheUser;
  std::vector<Output> outputs;
  if (!bucket_of(folder.outbox))
    outputs.push_back({"outbox of " + folder.name, folder.outbox, made});
  if (folder.after == AfterSuccess::Archive && !bucket_of(folder.archive)) {
    outputs.push_back({"archive of " + folder.name, folder.archive, Output::Made::ByTheAgent});
  }
  if (folder.failed == AfterFailure::Quarantine && !bucket_of(folder.quarantine)) {
    outputs.push_back(
        {"quarantine of " + folder.name, folder.quarantine, Output::Made::ByTheAgent});
  }
  return outputs;
}

Finding output_finding(const Output& output) {
  auto trouble = output.made == Output::Made::ByTheUser ? why_not_there(output.path)
                                                        : why_not_writable(output.path);
  if (trouble) return error_in(output.subject, std::move(*trouble));
  std::error_code ignored;
  return found_well(output.subject, path_text(output.path) + (fs::exists(output.path, ignored)
                                                                  ? ", writable"
                                                                  : ", made when it is needed"));
}

// Only writing shows whether a bucket may be written to, and that is left to the agent.
Finding bucket_finding(const FolderSettings& folder) {
  return found_well("outbox of " + folder.name,
                    printable(path_text(folder.outbox)) +
                        ", not asked here; the agent writes to it before anything is paid for");
}

void add_space(std::string subject, const fs::path& path, std::vector<Finding>& findings) {
  const auto directory = real_file_system().open_directory(nearest_existing(path));
  if (!directory) return;  // said by the check of the folder itself
  const auto space = (*directory)->space();
  if (!space) return;
  if (auto finding = judge_space(std::move(subject), *space)) {
    findings.push_back(std::move(*finding));
  }
}

}  // namespace

std::vector<Finding> check_inboxes(const Context& context) {
  std::vector<Finding> findings;
  for (const FolderSettings& folder : context.settings.folders) {
    findings.push_back(inbox_finding(folder));
  }
  return findings;
}

std::vector<Finding> check_outputs(const Context& context) {
  std::vector<Finding> findings;
  for (const FolderSettings& folder : context.settings.folders) {
    if (bucket_of(folder.outbox)) findings.push_back(bucket_finding(folder));
    for (const Output& output : outputs_of(folder)) findings.push_back(output_finding(output));
  }
  return findings;
}

std::vector<Finding> check_drives(const Context& context) {
  std::vector<Finding> findings;
  const auto look = [&](std::string subject, const fs::path& path) {
    const auto drive = path.empty() ? std::nullopt : personal_drive_of(path);
    if (!drive) return;
    findings.push_back({FindingLevel::Warning, std::move(subject),
                        drive->drive + " is a drive of your log-on, and no service has it",
                        drive->instead.empty()
                            ? "write the path of the share instead, as '\\\\SERVER\\SHARE\\FOLDER'"
                            : "write '" + drive->instead + "' instead, in single quotes"});
  };
  look("state folder", context.settings.agent.state_dir);
  look("log file", context.settings.agent.log_file);
  for (const FolderSettings& folder : context.settings.folders) {
    if (!bucket_of(folder.inbox)) look("inbox of " + folder.name, folder.inbox);
    for (const Output& output : outputs_of(folder)) look(output.subject, output.path);
  }
  return findings;
}

std::vector<Finding> check_space(const Context& context) {
  std::vector<Finding> findings;
  add_space("disk of state folder", context.settings.agent.state_dir, findings);
  for (const FolderSettings& folder : context.settings.folders) {
    for (const Output& output : outputs_of(folder)) {
      add_space("disk of " + output.subject, output.path, findings);
    }
  }
  return findings;
}

}  // namespace millrace
