// Keys of the remote converters, and the local one.
#include <algorithm>

#include "agent/cli/check.hpp"
#include "agent/cli/check_rules.hpp"
#include "agent/pipeline/services.hpp"
#include "agent/serve/process_renderer.hpp"
#include "agent/transfer/curl_http.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/permissions.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string key_place(const SecretRef& key) {
  switch (key.where) {
    case SecretRef::Where::Env:
      return "read from the environment variable " + key.name;
    case SecretRef::Where::File:
      return "read from " + key.name;
    case SecretRef::Where::Store:
      return "read from the secret `" + key.name + "`";
    case SecretRef::Where::None:
      break;
  }
  return "none configured";
}

Finding key_finding(HttpClient& http, const Context& context, const ConverterSettings& converter) {
  const FindingLevel trouble = trouble_with(context, converter);
  const fs::path config_dir = context.config_file.parent_path();
  auto key = read_key(converter.api_key, config_dir);
  if (!key) {
    return {trouble, "key of " + converter.name, key.error().message,
            advice_for(converter.api_key)};
  }
  std::ranges::fill(*key, '\0');
  // As the agent makes it, so that whatever it refuses is refused here.
  const auto service = make_service(http, converter, {}, config_dir, SystemClock{});
  if (!service) {
    return {trouble, "converter " + converter.name, service.error().message,
            "change [converter." + converter.name + "]"};
  }
  return found_well("key of " + converter.name, key_place(converter.api_key));
}

void add_header_findings(const Context& context, const ConverterSettings& converter,
                         std::vector<Finding>& findings) {
  findings.push_back(found_well("converter " + converter.name, "fetches lists"));
  for (const DownloadHeader& header : converter.headers) {
    const std::string subject = "header " + header.name + " for " + header.place;
    const auto value = headers_of({header}, context.config_file.parent_path())(header.place);
    findings.push_back(value ? found_well(subject, key_place(header.value))
                             : Finding{trouble_with(context, converter), subject,
                                       value.error().message, advice_for(header.value)});
  }
}

// Every format that the local converter makes of anything.
std::vector<std::string> targets_of(const Formats& formats) {
  std::vector<std::string> all;
  for (const Formats::Route& route : formats.routes) {
    all.insert(all.end(), route.to.begin(), route.to.end());
  }
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

bool is_local(const Settings& settings, const FolderSettings& folder) {
  const ConverterSettings* converter = settings.converter(folder.via);
  return converter != nullptr && converter->embedded;
}

std::unique_ptr<Renderer> local_renderer(Launcher& launcher) {
  ProcessRendererOptions options;
  options.program = render_program();
  std::error_code ignored;
  options.scratch = fs::temp_directory_path(ignored);
  return make_process_renderer(std::move(options), launcher);
}

// What is wrong with a folder's options, or nothing. They are looked at before the file, which is
// no picture.
std::string trouble_with_options(Renderer& renderer, const FolderSettings& folder) {
  RenderJob job;
  job.input = render_program();
  job.target = folder.to.empty() ? "png" : folder.to.front();
  job.options.assign(folder.options.begin(), folder.options.end());
  const auto rendered = renderer.render(job);
  if (!rendered) return rendered.error().message;
  return rendered->code == RenderCode::BadOption ? rendered->message : "";
}

void add_folder_findings(Renderer& renderer, const std::vector<std::string>& targets,
                         const FolderSettings& folder, std::vector<Finding>& findings) {
  for (const std::string& to : folder.to) {
    if (std::ranges::binary_search(targets, to)) continue;
    findings.push_back({FindingLevel::Error, "targets of " + folder.name,
                        "the local converter does not make " + to,
                        "use one of: " + join(targets) + "; or another converter with `via`"});
  }
  if (folder.options.empty()) return;
  const std::string trouble = trouble_with_options(renderer, folder);
  if (trouble.empty()) return;
  findings.push_back({FindingLevel::Error, "options of " + folder.name, trouble,
                      "change `options` of that folder: its files would fail"});
}

}  // namespace

FindingLevel trouble_with(const Context& context, const ConverterSettings& converter) {
  const bool used = std::ranges::any_of(
      context.settings.folders,
      [&](const FolderSettings& folder) { return folder.via == converter.name; });
  return used ? FindingLevel::Error : FindingLevel::Warning;
}

std::vector<Finding> check_keys(const Context& context) {
  auto http = start_curl_http({});
  if (!http) {
    return {{FindingLevel::Error, "network", http.error().message, advice_for(http.error(), {})}};
  }
  std::vector<Finding> findings;
  for (const ConverterSettings& converter : context.settings.converters) {
    if (converter.downloads)
      add_header_findings(context, converter, findings);
    else if (!converter.embedded)
      findings.push_back(key_finding(**http, context, converter));
  }
  return findings;
}

std::vector<Finding> check_secret_files(const Context& context) {
  std::vector<Finding> findings;
  const fs::path folder = context.config_file.parent_path() / "secrets";
  constexpr fs::perms kOthers = fs::perms::group_all | fs::perms::others_all;
  std::error_code problem;
  const fs::directory_iterator end;
  for (fs::directory_iterator at(folder, problem); at != end; at.increment(problem)) {
    const fs::directory_entry& entry = *at;
    const fs::perms mode = permissions_of(entry.path(), problem);
    if (problem || (mode & kOthers) == fs::perms::none) continue;
    findings.push_back({FindingLevel::Warning, "secret files",
                        "others may read " + path_text(entry.path()), how_to_close(entry.path())});
  }
  return findings;
}

std::vector<Finding> check_renderer(const Context& context) {
  const Settings& settings = context.settings;
  const bool needed = std::ranges::any_of(
      settings.folders, [&](const FolderSettings& folder) { return is_local(settings, folder); });
  if (!needed) return {};
  const auto launcher = make_launcher();
  const auto renderer = launcher ? local_renderer(**launcher) : nullptr;
  const auto formats = renderer ? renderer->formats() : std::unexpected(launcher.error());
  if (!formats) {
    return {{FindingLevel::Error, "local converter",
             path_text(render_program()) + " does not work: " + formats.error().message,
             "install it again (it needs libvips), or use a [converter.NAME] with a url"}};
  }
  const std::vector<std::string> targets = targets_of(*formats);
  std::vector<Finding> findings{found_well("local converter", formats->engine)};
  for (const FolderSettings& folder : settings.folders) {
    if (is_local(settings, folder)) add_folder_findings(*renderer, targets, folder, findings);
  }
  return findings;
}

}  // namespace millrace
