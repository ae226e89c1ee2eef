// `millrace service`: the agent as a service of Windows or macOS.
#include "platform/host/service.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/context.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// What an action says: `json` is the document, `text` the lines for people.
struct Said {
  nlohmann::json json;
  std::string text;
};

std::vector<std::string> printable_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> safe;
  safe.reserve(lines.size());
  for (const std::string& line : lines) safe.push_back(printable(line));
  return safe;
}

std::vector<fs::path> folders_made_later(const Settings& settings) {
  std::vector<fs::path> made;
  for (const FolderSettings& folder : settings.folders) {
    if (folder.after == AfterSuccess::Archive && !bucket_of(folder.archive))
      made.push_back(folder.archive);
    if (folder.failed == AfterFailure::Quarantine && !bucket_of(folder.quarantine))
      made.push_back(folder.quarantine);
  }
  if (!settings.agent.log_file.empty()) made.push_back(settings.agent.log_file.parent_path());
  return made;
}

// Certificates and keys that a person has put somewhere; `millrace check` tells of those that are
// not there.
std::vector<fs::path> files_of(const Settings& settings) {
  std::vector<fs::path> files{settings.events.certificate, settings.events.private_key};
  std::vector<const SecretRef*> secrets{&settings.events.secret};
  for (const ConverterSettings& converter : settings.converters) {
    files.push_back(native_path(converter.ca_file));
    secrets.push_back(&converter.api_key);
    for (const DownloadHeader& header : converter.headers) secrets.push_back(&header.value);
  }
  for (const S3Settings& store : settings.stores) {
    files.push_back(native_path(store.ca_file));
    for (const auto* secret :
         {&store.access_key_id, &store.secret_access_key, &store.session_token})
      secrets.push_back(secret);
  }
  for (const SecretRef* secret : secrets)
    if (secret->where == SecretRef::Where::File) files.push_back(native_path(secret->name));
  std::erase_if(files, [](const fs::path& file) {
    std::error_code problem;
    return !fs::is_regular_file(file, problem);
  });
  return files;
}

// What the service uses by the configuration as it is now; a wrong one is told and mended later.
Result<void> add_used(ServiceSetup& setup, const StandardFolders& folders) {
  setup.used = {setup.config_file};
  const auto loaded = load_settings_file(setup.config_file, surroundings(folders));
  if (!loaded) {
    return fail(ErrorKind::Configuration, "the configuration " + path_text(setup.config_file) +
                                              " cannot be used yet; `millrace check` says why");
  }
  setup.used.push_back(loaded->agent.state_dir);
  for (const FolderSettings& folder : loaded->folders) {
    for (const auto& place : {folder.inbox, folder.outbox})
      if (!bucket_of(place)) setup.used.push_back(place);
  }
  const auto files = files_of(*loaded);
  setup.used.insert(setup.used.end(), files.begin(), files.end());
  setup.made_later = folders_made_later(*loaded);
  return {};
}

Result<Said> install(ServiceManager& manager, const Options& options) {
  const auto folders = standard_folders();
  if (!folders) return std::unexpected(folders.error());
  ServiceSetup setup;
  setup.program = own_executable();
  std::error_code problem;
  setup.config_file = full_path(config_file_of(options, *folders), current_folder());
  setup.own_folder = folders->config_file.parent_path();
  if (options.grant) setup.access = AccountAccess::Granted;
  std::vector<std::string> notes;
  if (auto added = add_used(setup, *folders); !added) notes.push_back(added.error().message);
  const auto installed = manager.install(setup);
  if (!installed) return std::unexpected(installed.error());
  notes.insert(notes.end(), installed->notes.begin(), installed->notes.end());
  notes = printable_lines(notes);
  Said said;
  said.json = {{"installed", "Millrace"},
               {"account", installed->account},
               {"config", printable(path_text(setup.config_file))},
               {"notes", notes}};
  said.text = "the service Millrace is installed; its account is " + installed->account + "\n";
  for (const std::string& note : notes) said.text += "note: " + note + "\n";
  said.text += "next: " + installed->next + "\n";
  return said;
}

Result<Said> uninstall(ServiceManager& manager, const Options&) {
  if (auto done = manager.uninstall(); !done) return std::unexpected(done.error());
  return Said{{{"uninstalled", "Millrace"}},
              "the service Millrace is removed; configuration, ledger and logs are still there\n"};
}

Result<Said> start(ServiceManager& manager, const Options&) {
  const auto change = manager.start();
  if (!change) return std::unexpected(change.error());
  const bool before = *change == ServiceChange::AlreadySo;
  return Said{{{"state", "running"}, {"changed", !before}},
              before ? "the service Millrace runs already\n" : "the service Millrace runs\n"};
}

Result<Said> stop(ServiceManager& manager, const Options&) {
  const auto change = manager.stop();
  if (!change) return std::unexpected(change.error());
  const bool before = *change == ServiceChange::AlreadySo;
  return Said{
      {{"state", "stopped"}, {"changed", !before}},
      before ? "the service Millrace was not running\n" : "the service Millrace is stopped\n"};
}

Result<Said> status(ServiceManager& manager, const Options&) {
  const auto info = manager.status();
  if (!info) return std::unexpected(info.error());
  Said said;
  said.json = {{"state", info->state},     {"process", info->process},
               {"account", info->account}, {"command", printable(info->command)},
               {"start", info->start},     {"exit_status", info->exit_status}};
  said.text = "the service Millrace is " + info->state;
  if (info->process != 0) said.text += ", process " + std::to_string(info->process);
  if (info->exit_status != 0) {
    said.text += "; it ended with status " + std::to_string(info->exit_status);
  }
  said.text += "\nstart: " + info->start + "\naccount: " + info->account +
               "\ncommand: " + printable(info->command) + "\n";
  return said;
}

struct Action {
  std::string_view name;
  Result<Said> (*run)(ServiceManager& manager, const Options& options);
};
constexpr std::array kActions{
    Action{"install", install}, Action{"uninstall", uninstall}, Action{"start", start},
    Action{"stop", stop},       Action{"status", status},
};

}  // namespace

int run_service(const Options& options) {
  const auto manager =
      open_service_manager(options.system ? ServiceScope::System : ServiceScope::User);
  if (!manager) {
    say_error(options, manager.error());
    return kWrongUse;
  }
  const auto action = std::ranges::find(kActions, options.action, &Action::name);
  if (options.grant && action->run != install) {
    say_error(options, {ErrorKind::Configuration, "--grant belongs to `service install`", 0, {}});
    return kWrongUse;
  }
  const auto said = action->run(**manager, options);
  if (!said) {
    say_error(options, said.error());
    return kWrongUse;
  }
  if (options.json) {
    std::cout << said->json << "\n";
  } else {
    std::cout << said->text;
  }
  return kAllWell;
}

}  // namespace millrace
