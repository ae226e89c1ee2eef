#include "agent/cli/batch.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "agent/cli/check_paths.hpp"
#include "agent/pipeline/buckets.hpp"
#include "agent/transfer/url_rule.hpp"
#include "agent/watch/glob.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUrlConverter = "url";

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    if (!part.empty()) parts.push_back(to_lower_ascii(part));
  }
  return parts;
}

// Everything named, by the folder it lies in. A set of names: single files; none: the whole tree.
using Namings = std::map<fs::path, std::set<std::string>>;

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

Result<void> add_pattern(const fs::path& pattern, Namings& places) {
  std::error_code problem;
  const fs::path folder = folder_of(pattern);
  std::size_t found = 0;
  const fs::directory_iterator end;
  for (fs::directory_iterator at(folder, problem); at != end; at.increment(problem)) {
    if (!fs::is_regular_file(at->symlink_status(problem))) continue;
    const std::string name = path_text(at->path().filename());
    if (!glob_matches(path_text(pattern.filename()), name)) continue;
    places[fs::canonical(folder)].insert(name);
    ++found;
  }
  if (found > 0) return {};
  return fail(ErrorKind::Configuration,
              "\"" + printable(path_text(pattern)) + "\": there is no such file or folder");
}

// Named on its own, a file that would never be taken is told at once.
std::optional<std::string> why_never_taken(const fs::path& path) {
  std::error_code problem;
  const fs::file_status itself = fs::symlink_status(path, problem);
  if (!fs::exists(itself)) return std::nullopt;
  if (!fs::is_symlink(itself)) return "is no regular file and no folder";
  fs::path target = fs::read_symlink(path, problem);
  if (target.is_relative()) target = (path.parent_path() / target).lexically_normal();
  return "is a symbolic link, and links are not followed; name the file itself: " +
         path_text(target);
}

// Also by its open folder: as a path, `con.png` is a device of Windows.
bool is_file(const fs::path& path) {
  std::error_code problem;
  if (fs::is_regular_file(fs::symlink_status(path, problem))) return true;
  const auto folder = real_file_system().open_directory(folder_of(path));
  if (!folder) return false;
  const auto info = (*folder)->info(path_text(path.filename()));
  return info && info->type == FileType::Regular;
}

// Where an s3:// leads, as it stands in settings. Nothing for a path.
Result<std::optional<fs::path>> find_bucket(const std::string& text, const Settings& base) {
  const auto url = parse_bucket_url(text);
  if (!url) return std::nullopt;
  if (!*url) return fail(ErrorKind::Configuration, printable(text) + " " + url->error());
  if (!has_buckets()) {
    return fail(ErrorKind::Configuration,
                printable(text) +
                    ": there is no S3 in this build; choose a folder, or take a build with S3");
  }
  const std::string& name = (*url)->settings;
  if (name == "default" || base.store(name) != nullptr) return place_of(**url);
  return fail(ErrorKind::Configuration, printable(text) + ": there is no [s3." + printable(name) +
                                            "] in the configuration; add it, or name the file "
                                            "with --config");
}

Result<Namings> find_places(const std::vector<std::string>& named, const Settings& base) {
  Namings places;
  std::set<fs::path> whole;
  for (const std::string& text : named) {
    auto bucket = find_bucket(text, base);
    if (!bucket) return std::unexpected(bucket.error());
    if (*bucket) {
      whole.insert(std::move(**bucket));
      continue;
    }
    const fs::path path = native_path(text);
    std::error_code problem;
    if (fs::is_directory(path, problem)) {
      whole.insert(fs::canonical(path));
    } else if (is_file(path)) {
      places[fs::canonical(folder_of(path))].insert(path_text(path.filename()));
    } else if (const auto why = why_never_taken(path)) {
      return fail(ErrorKind::Configuration, printable(path_text(path)) + " " + printable(*why));
    } else if (auto added = add_pattern(path, places); !added) {
      return std::unexpected(added.error());
    }
  }
  // A tree covers every file and folder beneath it.
  const auto covered = [&](const fs::path& folder, bool itself) {
    return std::ranges::any_of(whole, [&](const fs::path& tree) {
      const auto relative = folder.lexically_relative(tree);
      if (relative == ".") return itself;
      return !relative.empty() && *relative.begin() != "..";
    });
  };
  std::erase_if(places, [&](const auto& place) { return covered(place.first, true); });
  for (const fs::path& tree : whole) {
    if (!covered(tree, false)) places[tree];
  }
  return places;
}

// A name as a pattern that matches nothing but itself: `?` and `*` have no escape, so that a name
// which holds them is matched by `?` in their place.
std::string exact_pattern(std::string name) {
  std::ranges::replace(name, '*', '?');
  return name;
}

Result<std::map<std::string, std::string>> parse_options(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> options;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorKind::Configuration,
                  "option \"" + printable(text) + "\" must look like quality=80");
    }
    options[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return options;
}

Result<std::string> choose_converter(const Options& options, Settings& base) {
  if (options.url.empty()) {
    std::string via = options.via.empty() ? "local" : options.via;
    if (base.converter(via) == nullptr) {
      return fail(ErrorKind::Configuration, "there is no converter `" + printable(via) +
                                                "`; name one of the configuration "
                                                "with --via, or an API with --url");
    }
    if (base.converter(via)->downloads) {
      return fail(ErrorKind::Configuration, "converter `" + printable(via) +
                                                "` fetches lists and converts nothing; "
                                                "`millrace fetch LIST --into DIR` does it once");
    }
    return via;
  }
  HttpRequest asked;
  asked.url = options.url;
  if (auto allowed = check_target(asked); !allowed) {
    return with_context(allowed.error(), "--url");
  }
  ConverterSettings converter;
  // A [converter.url] is another one.
  converter.name = base.converter(kUrlConverter) == nullptr ? kUrlConverter : "--url";
  converter.url = options.url;
  converter.ca_file = options.ca_file;
  if (!options.api_key_env.empty()) {
    converter.api_key = {SecretRef::Where::Env, options.api_key_env};
  }
  if (options.upload == "raw") converter.upload = Upload::Raw;
  if (options.upload == "url") converter.upload = Upload::Url;
  base.converters.push_back(std::move(converter));
  return base.converters.back().name;
}

// Where --out leads, as it stands in settings; empty without it.
Result<fs::path> find_outbox(const std::string& out, const Settings& base) {
  if (out.empty()) return fs::path();
  auto bucket = find_bucket(out, base);
  if (!bucket) return with_context(bucket.error(), "--out");
  if (*bucket) return std::move(**bucket);
  fs::path path = full_path(native_path(out), current_folder());
  if (const auto trouble = why_not_writable(path))
    return fail(ErrorKind::Configuration,
                "--out: " + trouble->message + "; " + trouble->what_to_do);
  return path;
}

Result<void> check_links(const ConverterSettings* via, const Namings& places) {
  if (via == nullptr || via->upload != Upload::Url) return {};
  for (const auto& [place, names] : places)
    if (!bucket_of(place))
      return fail(ErrorKind::Configuration,
                  "converter `" + printable(via->name) +
                      "` is sent links (upload \"url\"), and files of a folder have none: " +
                      printable(path_text(place)) + "; --upload multipart sends the bytes");
  return {};
}

// The same command finds the same ledger again: by where results go and what they are made with.
std::string batch_id(const FolderSettings& folder, const Namings& places, const fs::path& out,
                     const Options& options) {
  std::string text = path_text(out);
  if (options.out.empty()) {
    for (const auto& [place, names] : places) text += path_text(place) + "\n";
  }
  for (const std::string& to : folder.to) text += "\n" + to;
  for (const auto& [name, value] : folder.options) text += "\n" + name + "=" + value;
  text += "\n" + folder.via + "\n" + options.url;
  return to_hex(sha256(text)).substr(0, 16);
}

}  // namespace

bool Batch::asked_for(const JobView& job) const {
  const FolderSettings* folder = settings.folder(job.candidate.folder);
  if (folder == nullptr) return false;
  return folder->recursive || std::ranges::any_of(folder->include, [&](const std::string& pattern) {
           return glob_matches(pattern, job.candidate.name);
         });
}

void Batch::leave_out(const fs::path& file) {
  for (FolderSettings& folder : settings.folders) {
    const fs::path inside = file.lexically_relative(folder.inbox);
    if (inside.empty() || *inside.begin() == "..") continue;
    folder.exclude.push_back(exact_pattern(generic_path_text(inside)));
  }
}

Result<Batch> plan_batch(const Options& options, Settings base, const fs::path& state_root) {
  auto places = find_places(options.files, base);
  if (!places) return std::unexpected(places.error());
  FolderSettings common;  // of all places
  common.to = split_commas(options.to);
  if (common.to.empty()) return fail(ErrorKind::Configuration, "--to names no format");
  for (const std::string& format : common.to) {
    if (is_format(format)) continue;
    return fail(ErrorKind::Configuration,
                "--to: \"" + printable(format) + "\" is no format; write webp, jpg, ...");
  }
  const auto out = find_outbox(options.out, base);
  if (!out) return std::unexpected(out.error());
  auto converter_options = parse_options(options.options);
  if (!converter_options) return std::unexpected(converter_options.error());
  common.options = std::move(*converter_options);
  auto via = choose_converter(options, base);
  if (!via) return std::unexpected(via.error());
  common.via = std::move(*via);
  if (auto right = check_links(base.converter(common.via), *places); !right)
    return std::unexpected(right.error());
  common.skip_same_format = options.out.empty();

  Batch batch;
  const fs::path root = options.state_dir.empty()
                            ? state_root
                            : full_path(native_path(options.state_dir), current_folder());
  batch.state_dir = root / "batch" / batch_id(common, *places, *out, options);
  base.folders.clear();
  for (const auto& [place, names] : *places) {
    FolderSettings folder = common;
    folder.name = path_text(place);
    folder.inbox = place;
    folder.outbox = out->empty() ? place : *out;
    folder.make_outbox = !out->empty();
    folder.recursive = names.empty();
    if (!names.empty()) {
      folder.include.clear();  // of "*"
      for (const std::string& name : names) folder.include.push_back(exact_pattern(name));
    }
    // Results that land in the tree which is being read are not sources.
    const fs::path inside = folder.outbox.lexically_relative(place);
    if (!inside.empty() && *inside.begin() != ".." && inside != ".") {
      folder.exclude = {generic_path_text(inside) + "/**"};
    }
    base.folders.push_back(std::move(folder));
  }
  base.agent.state_dir = batch.state_dir;
  if (options.workers) base.agent.workers = *options.workers;
  batch.settings = std::move(base);
  return batch;
}

}  // namespace millrace
