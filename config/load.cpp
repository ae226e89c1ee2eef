#include "config/load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <tuple>

#include "config/bucket_url.hpp"
#include "config/keys.hpp"
#include "config/raw_value.hpp"
#include "config/validate.hpp"
#include "config/values.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// What people write when they mean one of our keys.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kSynonyms{{
    {"target", "to"},
    {"targets", "to"},
    {"format", "to"},
    {"input", "inbox"},
    {"output_dir", "outbox"},
    {"converter", "via"},
    {"key", "api_key"},
    {"pattern", "include"},
    {"ignore", "exclude"},
    {"threads", "workers"},
}};

// What [converter.download] takes of the keys of a converter, and what it alone takes.
constexpr std::array<std::string_view, 8> kKeysOfDownload{
    "allow_fetch", "ca_file", "concurrency", "headers", "max_size", "patience", "rate", "timeout"};
constexpr std::array<std::string_view, 3> kOnlyOfDownload{"allow_fetch", "headers", "patience"};
// The kinds of lists that a folder with via = "download" takes where it does not say.
constexpr std::array kLists{"*.urls", "*.metalink", "*.meta4", "*.url", "*.webloc"};
constexpr const char* kReports = "*.result.json";
constexpr const char* kDownload = "download";

class Loader {
 public:
  Loader(const std::filesystem::path& file, const Surroundings& around) : around_(around) {
    settings_.file = file;
    settings_.agent.state_dir = around.default_state_dir;
  }

  LoadResult load(const RawTable& root) {
    for (const auto& [name, value] : root) section(name, value);
    add_embedded_converter();
    fill_defaults();
    leave_reports_out();
    validate(settings_, places_, problems_);
    if (problems_.empty()) return std::move(settings_);
    std::ranges::sort(problems_, {},
                      [](const Problem& p) { return std::tie(p.line, p.column, p.message); });
    return std::unexpected(std::move(problems_));
  }

 private:
  void section(const std::string& name, const RawValue& value) {
    const auto* table = std::get_if<RawTable>(&value.value);
    const auto* list = std::get_if<RawArray>(&value.value);
    if (name == "agent" && table) {
      read_keys(settings_.agent, *table, agent_keys());
    } else if (name == "dashboard" && table) {
      read_keys(settings_.dashboard, *table, dashboard_keys());
    } else if (name == "events" && table) {
      places_.events = {value.line, value.column};
      read_keys(settings_.events, *table, events_keys());
    } else if (name == "converter" && table) {
      for (const auto& [converter, keys] : *table) read_converter(converter, keys);
    } else if (name == "s3" && table) {
      for (const auto& [store, keys] : *table) read_store(store, keys);
    } else if (name == "folder" && list) {
      for (const RawValue& folder : *list) read_folder(folder);
    } else if (name == "agent" || name == "dashboard" || name == "events") {
      problem(value, "`" + name + "` is a section: write [" + name + "]");
    } else if (name == "converter" || name == "s3") {
      problem(value, "`" + name + "` needs a name: write [" + name + ".NAME]");
    } else if (name == "folder") {
      problem(value, "`folder` is a list of sections: write [[folder]]");
    } else {
      static constexpr std::array<std::string_view, 6> kSections{
          "agent", "dashboard", "events", "converter", "s3", "folder"};
      problem(value, unknown("section", name, did_you_mean(name, kSections)));
    }
  }

  template <typename Target>
  void read_keys(Target& target, const RawTable& table, std::span<const Key<Target>> keys) {
    for (const auto& [name, value] : table) {
      const auto key = std::ranges::find(keys, std::string_view(name), &Key<Target>::name);
      if (key == keys.end()) {
        problem(value, unknown("key", name, suggestion(name, keys)));
      } else if (const std::string wrong = key->read(target, value); !wrong.empty()) {
        problem(value, "`" + name + "` " + wrong);
      }
    }
  }

  template <typename Target>
  static std::string_view suggestion(std::string_view name, std::span<const Key<Target>> keys) {
    std::vector<std::string_view> words;
    for (const auto& key : keys) words.push_back(key.name);
    for (const auto& [word, meant] : kSynonyms) {
      if (std::ranges::find(words, meant) != words.end()) words.push_back(word);
    }
    const std::string_view near = did_you_mean(name, words);
    const auto synonym = std::ranges::find(kSynonyms, near, [](const auto& s) { return s.first; });
    return synonym == kSynonyms.end() ? near : synonym->second;
  }

  void read_converter(const std::string& name, const RawValue& value) {
    const auto* table = std::get_if<RawTable>(&value.value);
    if (table == nullptr) {
      problem(value, "`converter." + printable(name) + "` is a section: write [converter." +
                         printable(name) + "]");
      return;
    }
    ConverterSettings converter;
    converter.name = name;
    converter.embedded = name == "local" && !table->contains("url");
    converter.downloads = name == kDownload && !table->contains("url");
    read_keys(converter, *table, converter_keys());
    refuse_keys(converter, *table);
    places_.converters.push_back({value.line, value.column});
    settings_.converters.push_back(std::move(converter));
  }

  void refuse_keys(const ConverterSettings& converter, const RawTable& table) {
    for (const auto& [key, value] : table) {
      if (!converter.downloads && std::ranges::find(kOnlyOfDownload, key) != kOnlyOfDownload.end())
        problem(value, "`" + key + "` is for [converter.download] alone; take it out");
      const bool known = std::ranges::find(converter_keys(), std::string_view(key),
                                           &Key<ConverterSettings>::name) != converter_keys().end();
      if (converter.downloads && known &&
          std::ranges::find(kKeysOfDownload, key) == kKeysOfDownload.end())
        problem(value, "`" + key +
                           "` has no meaning in [converter.download], which fetches files and "
                           "converts nothing; take it out");
    }
  }

  // The converter that fetches lists is there without a section. False if the name is another's.
  bool need_download(const RawValue& folder) {
    if (const auto* known = settings_.converter(kDownload)) return known->downloads;
    ConverterSettings download;
    download.name = kDownload;
    download.downloads = true;
    places_.converters.push_back({folder.line, folder.column});
    settings_.converters.push_back(std::move(download));
    return true;
  }

  void make_list_folder(FolderSettings& folder, const RawTable& table) {
    for (const std::string_view key : {"to", "output", "options"}) {
      const auto found = table.find(key);
      if (found == table.end()) continue;
      problem(found->second, "`" + std::string(key) +
                                 "` has no meaning with via = \"download\": what comes of a list "
                                 "is its files and the report NAME.result.json; take it out");
    }
    folder.to = {"json"};
    folder.output = "{name}.result.{to}";
    folder.options.clear();
    if (!table.contains("include")) folder.include.assign(kLists.begin(), kLists.end());
  }

  void read_store(const std::string& name, const RawValue& value) {
    const auto* table = std::get_if<RawTable>(&value.value);
    if (table == nullptr) {
      problem(value, "`s3." + printable(name) +
                         "` is no section: write [s3.NAME], and its keys beneath it");
      return;
    }
    S3Settings store;
    store.name = name;
    read_keys(store, *table, s3_keys());
    places_.stores.push_back({value.line, value.column});
    settings_.stores.push_back(std::move(store));
  }

  void read_folder(const RawValue& value) {
    const auto* table = std::get_if<RawTable>(&value.value);
    if (table == nullptr) {
      problem(value, "`folder` is a list of sections: write [[folder]]");
      return;
    }
    FolderSettings folder;
    read_keys(folder, *table, folder_keys());
    const bool lists = folder.via == kDownload && need_download(value);
    if (lists) make_list_folder(folder, *table);
    for (const std::string_view needed : {"name", "inbox", "outbox", "to"}) {
      if (!table->contains(needed) && !(lists && needed == "to")) {
        problem(value, "this [[folder]] has no `" + std::string(needed) + "`; add it");
      }
    }
    for (const auto& [key, place] :
         {std::pair{"inbox", &folder.inbox}, std::pair{"outbox", &folder.outbox}}) {
      if (around_.has_buckets || !bucket_of(*place)) continue;
      problem(table->find(key)->second,
              "`" + std::string(key) +
                  "` must be a folder: there is no S3 in this build; choose a folder, or take a "
                  "build that has S3");
    }
    places_.folders.push_back({value.line, value.column});
    settings_.folders.push_back(std::move(folder));
  }

  void add_embedded_converter() {
    if (!around_.has_renderer || settings_.converter("local") != nullptr) return;
    ConverterSettings local;
    local.name = "local";
    local.embedded = true;
    places_.converters.push_back({0, 0});
    settings_.converters.push_back(std::move(local));
  }

  std::filesystem::path expand(std::filesystem::path path) const {
    if (path.empty() || bucket_of(path)) return path;
    if (*path.begin() == "~") {
      std::filesystem::path rest;
      for (auto part = std::next(path.begin()); part != path.end(); ++part) rest /= *part;
      path = around_.home / rest;
    }
    return full_path(path, settings_.file.parent_path());
  }

  void fill_defaults() {
    settings_.agent.state_dir = expand(settings_.agent.state_dir);
    settings_.agent.log_file = expand(settings_.agent.log_file);
    for (FolderSettings& folder : settings_.folders) {
      folder.inbox = expand(folder.inbox);
      folder.outbox = expand(folder.outbox);
      folder.archive =
          folder.archive.empty() ? place_beside(folder.inbox, "archive") : expand(folder.archive);
      folder.quarantine = folder.quarantine.empty() ? place_beside(folder.inbox, "failed")
                                                    : expand(folder.quarantine);
      for (std::string& format : folder.to) format = to_lower_ascii(format);
    }
    for (S3Settings& store : settings_.stores) fill_store(store);
    fill_events(settings_.events);
    for (ConverterSettings& converter : settings_.converters) {
      if (converter.embedded && converter.account.empty()) converter.account = "local";
      if (converter.downloads) {
        converter.account = kDownload;
        converter.idempotency_window = Duration::max();  // what is free is never an extra bill
      }
      converter.ca_file = path_text(expand(converter.ca_file));
      if (converter.api_key.where == SecretRef::Where::File) {
        converter.api_key.name = path_text(expand(converter.api_key.name));
      }
      for (DownloadHeader& header : converter.headers)
        if (header.value.where == SecretRef::Where::File)
          header.value.name = path_text(expand(header.value.name));
    }
  }

  // A folder that converts what another one downloads takes the files and not the reports on them.
  void leave_reports_out() {
    for (FolderSettings& folder : settings_.folders) {
      if (folder.inbox.empty() || bucket_of(folder.inbox)) continue;
      const bool gets_reports =
          std::ranges::any_of(settings_.folders, [&](const FolderSettings& from) {
            if (&from == &folder || !settings_.takes_lists(from)) return false;
            const auto inside = from.outbox.lexically_relative(folder.inbox);
            return !inside.empty() && *inside.begin() != "..";
          });
      const bool wants_them = std::ranges::find(folder.include, kReports) != folder.include.end();
      if (gets_reports && !wants_them) folder.exclude.emplace_back(kReports);
    }
  }

  void fill_events(EventsSettings& events) {
    events.certificate = expand(events.certificate);
    events.private_key = expand(events.private_key);
    if (events.secret.where == SecretRef::Where::File)
      events.secret.name = path_text(expand(events.secret.name));
  }

  void fill_store(S3Settings& store) {
    store.ca_file = path_text(expand(store.ca_file));
    for (SecretRef* key : {&store.access_key_id, &store.secret_access_key, &store.session_token})
      if (key->where == SecretRef::Where::File) key->name = path_text(expand(key->name));
  }

  static std::string unknown(std::string_view what, std::string_view name, std::string_view near) {
    std::string text = "unknown " + std::string(what) + " `" + printable(name) + "`";
    if (!near.empty()) text += "; did you mean `" + std::string(near) + "`?";
    return text;
  }

  void problem(const RawValue& at, std::string message) {
    problems_.push_back({at.line, at.column, std::move(message)});
  }

  const Surroundings& around_;
  Settings settings_;
  Places places_;
  std::vector<Problem> problems_;
};

}  // namespace

const ConverterSettings* Settings::converter(const std::string& name) const {
  const auto found = std::ranges::find(converters, name, &ConverterSettings::name);
  return found == converters.end() ? nullptr : &*found;
}

const S3Settings* Settings::store(const std::string& name) const {
  const auto found = std::ranges::find(stores, name, &S3Settings::name);
  return found == stores.end() ? nullptr : &*found;
}

const FolderSettings* Settings::folder(const std::string& name) const {
  const auto found = std::ranges::find(folders, name, &FolderSettings::name);
  return found == folders.end() ? nullptr : &*found;
}

bool Settings::takes_lists(const FolderSettings& folder) const {
  const ConverterSettings* via = converter(folder.via);
  return via != nullptr && via->downloads;
}

LoadResult load_settings(std::string_view toml, const std::filesystem::path& file,
                         const Surroundings& around) {
  const auto root = parse_toml(toml);
  if (!root) return std::unexpected(std::vector{root.error()});
  return Loader(file, around).load(*root);
}

namespace {

// Looked at before it is opened: a stream throws on a folder, and a FIFO would hold its reader for
// ever.
std::string why_no_configuration(const std::filesystem::path& file) {
  std::error_code problem;
  const auto type = std::filesystem::status(file, problem).type();
  switch (type) {
    case std::filesystem::file_type::not_found:
      return "is not there; `millrace init` writes a first one";
    case std::filesystem::file_type::directory:
      return "is a folder; name the configuration file in it";
    case std::filesystem::file_type::fifo:
    case std::filesystem::file_type::socket:
      return "is no regular file; copy the configuration into one";
    default:
      if (!problem) return "";
      return "cannot be read: " + problem.message() +
             (problem == std::errc::permission_denied ? "; " + how_to_let_read(file) : "");
  }
}

}  // namespace

LoadResult load_settings_file(const std::filesystem::path& file, const Surroundings& around) {
  const auto refused = [](std::string why) {
    return std::unexpected(std::vector{Problem{0, 0, std::move(why)}});
  };
  if (auto why = why_no_configuration(file); !why.empty()) return refused(std::move(why));
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  const int number = errno;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) {
    return refused("cannot be read: " + std::generic_category().message(number) + "; " +
                   how_to_let_read(file));
  }
  return load_settings(text, full_path(file, current_folder()), around);
}

std::string to_text(const std::vector<Problem>& problems, const std::filesystem::path& file) {
  std::string text;
  for (const Problem& problem : problems) {
    text += printable(path_text(file));
    if (problem.line > 0) {
      text += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
    }
    text += ": " + problem.message + "\n";
  }
  return text;
}

std::vector<KeyInfo> known_keys() {
  std::vector<KeyInfo> all;
  const auto add = [&](std::string_view section, const auto& keys) {
    for (const auto& key : keys) {
      all.push_back({section, key.name, key.form, key.default_text, key.meaning});
    }
  };
  add("[agent]", agent_keys());
  add("[dashboard]", dashboard_keys());
  add("[events]", events_keys());
  add("[converter.NAME]", converter_keys());
  add("[s3.NAME]", s3_keys());
  add("[[folder]]", folder_keys());
  return all;
}

}  // namespace millrace
