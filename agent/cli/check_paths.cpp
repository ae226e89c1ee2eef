#include "agent/cli/check_paths.hpp"

#include <iterator>
#include <vector>

#include "config/bucket_url.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

PathTrouble not_there(const fs::path& folder) {
  std::error_code ignored;
  const std::string path = path_text(folder);
  const fs::file_status itself = fs::symlink_status(folder, ignored);
  if (fs::is_symlink(itself) && !fs::exists(folder, ignored)) {
    return {path + " is a link to something that is not there",
            "make what the link leads to, or mount its disk or share"};
  }
  return {path + " does not exist", how_to_make_folder(folder) + ", or mount its disk or share"};
}

std::optional<PathTrouble> cannot_open(const fs::path& folder) {
  std::error_code problem;
  const fs::file_status status = fs::status(folder, problem);
  if (status.type() == fs::file_type::not_found) return not_there(folder);
  if (!problem && !fs::is_directory(status)) {
    return PathTrouble{path_text(folder) + " is not a folder",
                       "choose another path or move it away"};
  }
  const auto opened = real_file_system().open_directory(folder);
  if (opened) return std::nullopt;
  return PathTrouble{path_text(folder) + " cannot be opened: " + opened.error().message,
                     how_to_let_read(folder)};
}

// `path` as one of `inboxes` names it, if a part of it is that same folder (a bind mount, another
// spelling where case does not count).
fs::path renamed_by_identity(const fs::path& path, const std::vector<fs::path>& inboxes) {
  fs::path rest;
  for (fs::path at = path; !at.empty(); at = at.parent_path()) {
    for (const fs::path& inbox : inboxes) {
      std::error_code missing;
      if (fs::equivalent(at, inbox, missing)) return rest.empty() ? inbox : inbox / rest;
    }
    if (at == at.root_path()) break;
    rest = rest.empty() ? at.filename() : at.filename() / rest;
  }
  return path;
}

fs::path resolved(const fs::path& path) {
  std::error_code problem;
  fs::path real = fs::weakly_canonical(path, problem);
  return problem ? path : real;
}

}  // namespace

fs::path nearest_existing(const fs::path& path) {
  std::error_code ignored;
  fs::path at = path;
  while (!fs::exists(at, ignored) && at.has_relative_path()) at = at.parent_path();
  return at;
}

std::optional<PathTrouble> why_not_there(const fs::path& folder) {
  if (auto trouble = cannot_open(folder)) return trouble;
  const auto opened = real_file_system().open_directory(folder);
  const auto taken = opened ? (*opened)->takes_files("") : std::unexpected(opened.error());
  if (!taken) return PathTrouble{taken.error().message, "check the disk or share"};
  if (*taken) return std::nullopt;
  return PathTrouble{path_text(folder) + " is not writable (permission, or mounted read-only)",
                     how_to_let_write(folder)};
}

std::optional<PathTrouble> why_not_writable(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_symlink(folder, ignored) && !fs::exists(folder, ignored)) return not_there(folder);
  const fs::path there = nearest_existing(folder);
  auto trouble = why_not_there(there);
  if (trouble && there != folder) {
    trouble->message = path_text(folder) + " cannot be made: " + trouble->message;
  }
  return trouble;
}

Result<void> state_dir_apart(const Settings& settings) {
  Settings real = settings;
  real.agent.state_dir = resolved(settings.agent.state_dir);
  std::vector<Problem> problems;
  validate(real, unknown_places(real), problems);
  if (problems.empty()) return {};
  return fail(ErrorKind::Configuration, problems.front().message + " (links were followed)");
}

Places unknown_places(const Settings& settings) {
  return {{},
          std::vector<Place>(settings.converters.size()),
          std::vector<Place>(settings.stores.size()),
          std::vector<Place>(settings.folders.size())};
}

Settings with_real_places(const Settings& settings) {
  Settings real = settings;
  std::vector<fs::path> inboxes;
  for (FolderSettings& folder : real.folders) {
    if (folder.inbox.empty() || bucket_of(folder.inbox)) continue;
    inboxes.push_back(renamed_by_identity(resolved(folder.inbox), inboxes));
  }
  for (FolderSettings& folder : real.folders) {
    for (fs::path* path : {&folder.inbox, &folder.outbox, &folder.archive, &folder.quarantine}) {
      if (!path->empty() && !bucket_of(*path))
        *path = renamed_by_identity(resolved(*path), inboxes);
    }
  }
  fs::path& state = real.agent.state_dir;
  state = renamed_by_identity(resolved(state), inboxes);
  return real;
}

}  // namespace millrace
