#include "config/validate.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool is_beneath_or_same(const fs::path& path, const fs::path& folder) {
  const auto [mismatch, unused] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return mismatch == folder.end();
}

std::string quoted(const fs::path& path) { return "\"" + printable(path_text(path)) + "\""; }

// The host of a URL, without brackets and port.
std::string_view host_of(std::string_view url) {
  url.remove_prefix(std::min(url.size(), url.find("://") + 3));
  url = url.substr(0, url.find_first_of("/?#"));
  if (url.starts_with('[')) return url.substr(1, url.find(']') - 1);
  return url.substr(0, url.rfind(':'));
}

// Nothing behind host and port, but one `/`.
bool is_origin(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  if (url.ends_with('/')) url.remove_suffix(1);
  return !url.empty() && url.find_first_of("/?#@ ") == url.npos;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos;
}

// The placeholder that a template uses and that we do not know, or empty.
std::string_view unknown_placeholder(std::string_view text,
                                     std::initializer_list<std::string_view> known) {
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) return text.substr(open);
    const std::string_view name = text.substr(open, close - open + 1);
    if (std::ranges::find(known, name) == known.end()) return name;
  }
  return {};
}

class Validator {
 public:
  Validator(const Settings& settings, const Places& places, std::vector<Problem>& problems)
      : settings_(settings), places_(places), problems_(problems) {}

  void run() {
    place_ = places_.events;
    events(settings_.events);
    for (std::size_t i = 0; i < settings_.converters.size(); ++i) {
      place_ = places_.converters[i];
      converter(settings_.converters[i]);
    }
    for (std::size_t i = 0; i < settings_.stores.size(); ++i) {
      place_ = places_.stores[i];
      store(settings_.stores[i]);
    }
    for (std::size_t i = 0; i < settings_.folders.size(); ++i) {
      place_ = places_.folders[i];
      folder(settings_.folders[i]);
      for (std::size_t other = 0; other < i; ++other) {
        pair(settings_.folders[i], settings_.folders[other]);
      }
    }
    cycles();
  }

 private:
  void say(std::string message) {
    problems_.push_back({place_.line, place_.column, std::move(message)});
  }

  void converter(const ConverterSettings& c) {
    const std::string who = "converter `" + printable(c.name) + "`: ";
    if (c.embedded && c.upload == Upload::Url)
      say(who + "upload = \"url\" is for services elsewhere; leave `upload` out");
    if (c.embedded || c.downloads) return;
    if (c.url.empty()) {
      say(who + "has no `url`; add url = \"https://...\"");
    } else if (c.url.starts_with("http://") && !is_loopback(host_of(c.url))) {
      say(who + "`url` is not encrypted; use https (http is allowed to this machine only)");
    } else if (!c.url.starts_with("https://") && !c.url.starts_with("http://")) {
      say(who + "`url` must begin with https://");
    } else if (c.url.find('@') < c.url.find('/', c.url.find("://") + 3)) {
      say(who + "`url` holds a user or password; use `api_key`");
    }
  }

  void events(const EventsSettings& e) {
    if (e.listen == "off") return;
    if (e.secret.where == SecretRef::Where::None) {
      say("`events` has no `secret`: anybody could push; add secret = { env = \"NAME\" }");
    }
    if (e.certificate.empty() != e.private_key.empty()) {
      say("`certificate` and `private_key` of `events` belong together; set both or none");
    }
    const std::string_view host = std::string_view(e.listen).substr(0, e.listen.rfind(':'));
    if (host != "[::1]" && !is_loopback(host) && e.certificate.empty()) {
      say("`events` would take its secret from the network unencrypted; add `certificate` and "
          "`private_key`, or listen on 127.0.0.1 behind a proxy that has TLS");
    }
  }

  void store(const S3Settings& s) {
    const std::string who = "store `" + printable(s.name) + "`: ";
    const std::string_view host = host_of(s.endpoint);
    if (s.endpoint.starts_with("http://") && !is_loopback(host)) {
      say(who + "`endpoint` is not encrypted; use https (http is allowed to this machine only)");
    } else if (!s.endpoint.empty() && !s.endpoint.starts_with("https://") &&
               !s.endpoint.starts_with("http://")) {
      say(who + "`endpoint` must begin with https://");
    } else if (!s.endpoint.empty() && !is_origin(s.endpoint)) {
      say(who +
          "`endpoint` must be a host and a port, and nothing else; the bucket stands in "
          "`inbox` or `outbox`, as in s3://" +
          printable(s.name) + "@bucket/prefix/");
    }
    if (s.region.empty() ||
        s.region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
      say(who + "`region` must be letters, digits and hyphens, as in \"eu-central-1\"");
    }
    const auto is_set = [](const SecretRef& key) { return key.where != SecretRef::Where::None; };
    if (is_set(s.access_key_id) != is_set(s.secret_access_key)) {
      say(who + "`access_key_id` and `secret_access_key` belong together; set both or none");
    }
    if (is_set(s.session_token) && !is_set(s.access_key_id)) {
      say(who + "`session_token` belongs to an `access_key_id`; set both or none");
    }
    if (is_set(s.access_key_id) && !s.profile.empty()) {
      say(who + "`profile` and `access_key_id` are two places for the same key; keep one");
    }
  }

  void folder(const FolderSettings& f) {
    const std::string who = "folder `" + printable(f.name) + "`: ";
    if (f.to.empty()) say(who + "`to` names no format; for example to = [\"webp\"]");
    for (const std::string& format : f.to) {
      if (!is_format(format)) {
        say(who + "\"" + printable(format) +
            "\" in `to` is no format; write \"webp\", \"jpg\", ...");
      }
    }
    if (std::set<std::string>(f.to.begin(), f.to.end()).size() != f.to.size()) {
      say(who + "`to` names a format twice");
    }
    if (settings_.converter(f.via) == nullptr && f.via == "local") {
      say(who +
          "`via` is \"local\", which needs millrace-render, and that is not in this build; add "
          "[converter.NAME] with a url, and write via = \"NAME\"");
    } else if (settings_.converter(f.via) == nullptr) {
      say(who + "`via` names converter `" + printable(f.via) +
          "`, which is not configured; add [converter." + printable(f.via) + "]");
    }
    if (f.include.empty()) say(who + "`include` is empty: no file would ever be converted");
    templates(f, who);
    places_apart(f, who);
    buckets(f, who);
  }

  void buckets(const FolderSettings& f, const std::string& who) {
    const auto inbox = bucket_of(f.inbox);
    const ConverterSettings* const via = settings_.converter(f.via);
    if (!inbox && via != nullptr && via->upload == Upload::Url)
      say(who + "converter `" + printable(f.via) +
          "` is sent links (upload = \"url\"), and files of a folder have none; give it an inbox "
          "in "
          "a bucket, or a converter with upload = \"multipart\" or \"raw\"");
    if (settings_.takes_lists(f) && bucket_of(f.outbox))
      say(who + "`outbox` must be a folder of this machine with via = \"download\"");
    for (const auto& url : {inbox, bucket_of(f.outbox)}) {
      if (!url || url->settings == "default" || settings_.store(url->settings)) continue;
      say(who + "there is no [s3." + printable(url->settings) + "] for s3://" +
          printable(url->settings) + "@" + url->bucket + "; add it with its endpoint");
    }
    if (inbox && !f.ready_marker.empty())
      say(who + "`ready_marker` is for folders: an object is whole as soon as it is there");
    if (inbox && f.settle)
      say(who + "`settle` is for folders: an object is whole as soon as it is there");
    if (f.after == AfterSuccess::Archive) shelf(f, who, "archive", f.archive);
    if (f.failed == AfterFailure::Quarantine) shelf(f, who, "quarantine", f.quarantine);
  }

  // A shelf is reached by a rename, or by a copy that the store makes.
  void shelf(const FolderSettings& f, const std::string& who, std::string_view key,
             const fs::path& place) {
    const auto inbox = bucket_of(f.inbox);
    const auto there = bucket_of(place);
    const bool same_kind = inbox.has_value() == there.has_value();
    if (same_kind && !place.empty() &&
        (!inbox || (inbox->settings == there->settings && inbox->bucket == there->bucket)))
      return;
    say(who + "`" + std::string(key) + "` must lie in " +
        (inbox ? "the bucket of the inbox, outside of its prefix" : "a folder, as the inbox does"));
  }

  void templates(const FolderSettings& f, const std::string& who) {
    const auto bad = unknown_placeholder(f.output, {"{stem}", "{name}", "{ext}", "{to}"});
    if (!bad.empty()) {
      say(who + "`output` holds " + printable(bad) + "; known are {stem} {name} {ext} {to}");
    }
    if (f.to.size() > 1 && f.output.find("{to}") == std::string::npos) {
      say(who + "`output` must hold {to}, since there are several targets");
    }
    if (f.output.find("{stem}") == std::string::npos &&
        f.output.find("{name}") == std::string::npos) {
      say(who + "`output` must hold {stem} or {name}: all results would get one name");
    }
    if (!f.ready_marker.empty() && f.ready_marker.find("{name}") == std::string::npos &&
        f.ready_marker.find("{stem}") == std::string::npos) {
      say(who + "`ready_marker` must hold {name} or {stem}, as in \"{name}.ready\"");
    }
  }

  void places_apart(const FolderSettings& f, const std::string& who) {
    if (f.inbox.empty()) return;
    const std::array<std::pair<std::string_view, const fs::path*>, 3> outputs{
        {{"outbox", &f.outbox}, {"archive", &f.archive}, {"quarantine", &f.quarantine}}};
    for (const auto& [key, path] : outputs) {
      if (!path->empty() && is_beneath_or_same(*path, f.inbox)) {
        say(who + "`" + std::string(key) + "` " + quoted(*path) +
            " lies in its own inbox; results would be converted again. Choose a place beside " +
            quoted(f.inbox));
      }
    }
    // Whoever else opens and closes the ledger takes SQLite's locks away (fcntl(2)).
    const fs::path& state = settings_.agent.state_dir;
    if (state == f.inbox || (f.recursive && is_beneath_or_same(state, f.inbox))) {
      say(who + "the state folder " + quoted(state) +
          " lies in its inbox; set `state_dir` in [agent] to a place outside of " +
          quoted(f.inbox));
    }
  }

  void pair(const FolderSettings& f, const FolderSettings& other) {
    const std::string who = "folder `" + printable(f.name) + "`: ";
    if (f.name == other.name) say(who + "the name is used twice");
    if (f.inbox.empty() || other.inbox.empty()) return;
    if (f.inbox == other.inbox) {
      say(who + "its inbox " + quoted(f.inbox) + " is also the inbox of `" + printable(other.name) +
          "`; for two targets write to = [\"a\", \"b\"] in one folder");
    } else if (is_beneath_or_same(f.inbox, other.inbox) && other.recursive) {
      say(who + "its inbox lies in the inbox of `" + printable(other.name) +
          "`, which is recursive");
    } else if (is_beneath_or_same(other.inbox, f.inbox) && f.recursive) {
      say(who + "its inbox holds the inbox of `" + printable(other.name) +
          "`; set recursive = false");
    }
  }

  // Whether files that `from` writes are picked up by `to`.
  static bool feeds(const FolderSettings& from, const FolderSettings& to) {
    const auto into = [&](const fs::path& path) {
      return !path.empty() && is_beneath_or_same(path, to.inbox);
    };
    return into(from.outbox) || (from.after == AfterSuccess::Archive && into(from.archive)) ||
           (from.failed == AfterFailure::Quarantine && into(from.quarantine));
  }

  // A chain of folders is fine; a ring would convert, and pay, for ever.
  void cycles() {
    const auto& folders = settings_.folders;
    std::vector<int> state(folders.size(), 0);  // 0 unseen, 1 on the way, 2 done
    const std::function<bool(std::size_t)> ring = [&](std::size_t at) {
      state[at] = 1;
      for (std::size_t next = 0; next < folders.size(); ++next) {
        if (next == at || folders[next].inbox.empty() || !feeds(folders[at], folders[next]))
          continue;
        if (state[next] == 1 || (state[next] == 0 && ring(next))) return true;
      }
      state[at] = 2;
      return false;
    };
    for (std::size_t i = 0; i < folders.size(); ++i) {
      if (state[i] != 0 || !ring(i)) continue;
      place_ = places_.folders[i];
      say("folder `" + printable(folders[i].name) +
          "`: its results come back to it through other folders; every round would be paid");
      return;
    }
  }

  const Settings& settings_;
  const Places& places_;
  std::vector<Problem>& problems_;
  Place place_;
};

}  // namespace

bool is_format(std::string_view text) {
  return !text.empty() && text.size() <= 16 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

void validate(const Settings& settings, const Places& places, std::vector<Problem>& problems) {
  Validator(settings, places, problems).run();
}

}  // namespace millrace
