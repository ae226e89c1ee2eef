#include "config/keys.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "config/bucket_url.hpp"
#include "config/server_place.hpp"
#include "config/values.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kInFlight =
    "*.part, *.tmp, *.crdownload, *.filepart, *.download, ~$*, .~lock*, ._*, .DS_Store, Thumbs.db, "
    "desktop.ini, dot files";

// -- readers of one value ---------------------------------------------------------------------

std::string read_text(std::string& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) return "must be a text in quotes";
  into = *text;
  return {};
}

std::string read_name(std::string& into, const RawValue& value) {
  if (auto wrong = read_text(into, value); !wrong.empty()) return wrong;
  return into.empty() ? "must not be empty" : "";
}

std::string read_listen(std::string& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr || (*text != "off" && !parse_server_place(*text)))
    return "must be \"off\", or an address and a port, as in \"127.0.0.1:8652\"";
  into = *text;
  return {};
}

std::string read_flag(bool& into, const RawValue& value) {
  const auto* flag = std::get_if<bool>(&value.value);
  if (flag == nullptr) return "must be true or false";
  into = *flag;
  return {};
}

template <typename Integer>
std::string read_integer(Integer& into, const RawValue& value, std::int64_t least,
                         std::int64_t most) {
  const auto* number = std::get_if<std::int64_t>(&value.value);
  if (number == nullptr || *number < least || *number > most) {
    return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  }
  into = static_cast<Integer>(*number);
  return {};
}

std::string read_texts(std::vector<std::string>& into, const RawValue& value) {
  std::string wrong = "must be a list of texts, as in [\"a\", \"b\"]";
  const auto* items = std::get_if<RawArray>(&value.value);
  if (items == nullptr) return wrong;
  into.clear();
  for (const RawValue& item : *items) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr || text->empty()) return wrong;
    into.push_back(*text);
  }
  return {};
}

std::string read_duration(Duration& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  const auto duration = text ? parse_duration(*text) : std::nullopt;
  if (!duration) return "must be a duration such as \"300ms\", \"2s\", \"5m\" or \"1h\"";
  into = *duration;
  return {};
}

// Where nought would let nothing be in time, or a loop turn without rest.
std::string read_some_time(Duration& into, const RawValue& value) {
  Duration duration{};
  if (auto wrong = read_duration(duration, value); !wrong.empty()) return wrong;
  if (duration == Duration{0}) return "must be longer than nought, such as \"2s\" or \"5m\"";
  into = duration;
  return {};
}

std::string read_auto_duration(std::optional<Duration>& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text != nullptr && *text == "auto") return into.reset(), std::string();
  Duration duration{};
  if (!read_duration(duration, value).empty()) {
    return "must be \"auto\" or a duration such as \"300ms\", \"2s\" or \"5m\"";
  }
  into = duration;
  return {};
}

std::string read_poll(std::optional<Duration>& into, const RawValue& value) {
  if (auto wrong = read_auto_duration(into, value); !wrong.empty() || !into) return wrong;
  return read_some_time(*into, value);
}

template <typename Target, typename Choice, std::size_t N>
std::string read_choice(Target& into, const RawValue& value,
                        const std::array<std::pair<std::string_view, Choice>, N>& choices) {
  const auto* text = std::get_if<std::string>(&value.value);
  for (const auto& [name, choice] : choices) {
    if (text != nullptr && *text == name) return into = choice, std::string();
  }
  std::string names;
  for (const auto& [name, choice] : choices) {
    names += (names.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  }
  return "must be one of " + names;
}

std::string read_path(std::filesystem::path& into, const RawValue& value) {
  std::string text;
  if (auto wrong = read_text(text, value); !wrong.empty()) return wrong;
  if (text.empty()) return "must not be empty";
  if (parse_bucket_url(text)) return "must be a path of this machine, not a bucket";
  into = native_path(text);
  return {};
}

// A folder, or a bucket.
std::string read_place(std::filesystem::path& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  const auto url = text == nullptr ? std::nullopt : parse_bucket_url(*text);
  if (!url) return read_path(into, value);
  if (!*url) return url->error();
  into = place_of(**url);
  return {};
}

std::string read_secret(SecretRef& into, const RawValue& value) {
  static constexpr std::array<std::pair<std::string_view, SecretRef::Where>, 3> kPlaces{
      {{"env", SecretRef::Where::Env},
       {"file", SecretRef::Where::File},
       {"secret", SecretRef::Where::Store}}};
  std::string wrong =
      "must say where the key is: { env = \"NAME\" }, { file = \"/path\" } or { secret = \"name\" "
      "}; "
      "the key itself never stands in this file";
  const auto* table = std::get_if<RawTable>(&value.value);
  if (table == nullptr || table->size() != 1) return wrong;
  const auto& [place, name] = *table->begin();
  for (const auto& [known, where] : kPlaces) {
    if (place != known) continue;
    into.where = where;
    return read_text(into.name, name).empty() && !into.name.empty() ? std::string() : wrong;
  }
  return wrong;
}

std::string no_place(std::string_view text) {
  return "holds \"" + printable(text) + "\"; write HOST:PORT, as in \"files.lan:443\"";
}

std::string read_allowed_places(std::vector<std::string>& into, const RawValue& value) {
  if (auto wrong = read_texts(into, value); !wrong.empty()) return wrong;
  for (std::string& text : into) {
    auto place = parse_server_place(text);
    if (!place) return no_place(text);
    text = std::move(*place);
  }
  return {};
}

// A name that people may set: what says how bytes are sent is ours (RFC 9110 5.1 for the letters).
bool is_free_header(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kOurs{
      "host", "range",      "if-range",       "if-none-match",     "if-modified-since",
      "te",   "connection", "content-length", "transfer-encoding", "accept-encoding"};
  const std::string lower = to_lower_ascii(name);
  return !lower.empty() &&
         lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == lower.npos &&
         std::ranges::find(kOurs, lower) == kOurs.end();
}

std::string read_headers(std::vector<DownloadHeader>& into, const RawValue& value) {
  const std::string wrong =
      "must be a table such as { \"files.lan:443\" = { Authorization = { env = \"NAME\" } } }";
  const auto* places = std::get_if<RawTable>(&value.value);
  if (places == nullptr) return wrong;
  into.clear();
  for (const auto& [text, names] : *places) {
    const auto* headers = std::get_if<RawTable>(&names.value);
    if (headers == nullptr) return wrong;
    const auto place = parse_server_place(text);
    if (!place) return no_place(text);
    for (const auto& [name, where] : *headers) {
      if (!is_free_header(name)) return "holds \"" + printable(name) + "\", which cannot be set";
      DownloadHeader header{*place, name, {}};
      if (auto bad = read_secret(header.value, where); !bad.empty()) return bad;
      into.push_back(std::move(header));
    }
  }
  return {};
}

std::string read_options(std::map<std::string, std::string>& into, const RawValue& value) {
  const auto* table = std::get_if<RawTable>(&value.value);
  if (table == nullptr) return "must be a table such as { quality = 80 }";
  into.clear();
  for (const auto& [name, item] : *table) {
    if (const auto* text = std::get_if<std::string>(&item.value)) {
      into[name] = *text;
    } else if (const auto* integer = std::get_if<std::int64_t>(&item.value)) {
      into[name] = std::to_string(*integer);
    } else if (const auto* flag = std::get_if<bool>(&item.value)) {
      into[name] = *flag ? "true" : "false";
    } else {
      return "option " + printable(name) + " must be a text, a whole number, true or false";
    }
  }
  return {};
}

std::string read_concurrency(std::optional<int>& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text != nullptr && *text == "auto") return into.reset(), std::string();
  int number = 0;
  if (!read_integer(number, value, 1, 1024).empty()) {
    return "must be \"auto\" or a whole number from 1 to 1024";
  }
  into = number;
  return {};
}

std::string read_rate(std::optional<double>& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  into = text ? parse_rate(*text) : std::nullopt;
  return into ? "" : "must be a rate such as \"10/m\" or \"12/s\"";
}

std::string read_size(std::uint64_t& into, const RawValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  const auto size = text ? parse_size(*text) : std::nullopt;
  if (!size || *size == 0) return "must be a size such as \"100MB\" or \"1GiB\"";
  into = *size;
  return {};
}

std::string read_floor(ConverterSettings& into, const RawValue& value) {
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    into.quota_floor_share = parse_share(*text);
    if (into.quota_floor_share) return {};
  }
  std::int64_t number = 0;
  if (!read_integer(number, value, 0, std::numeric_limits<std::int64_t>::max()).empty()) {
    return "must be a share such as \"10%\" or a number of conversions";
  }
  into.quota_floor = number;
  return {};
}

// -- the table --------------------------------------------------------------------------------

constexpr std::array kAgent{
    Key<AgentSettings>{"state_dir", "path", "the system's own place",
                       "ledger, sockets and batches lie here",
                       [](auto& t, auto& v) { return read_path(t.state_dir, v); }},
    Key<AgentSettings>{"workers", "number", "16", "conversions in flight over all converters",
                       [](auto& t, auto& v) { return read_integer(t.workers, v, 1, 256); }},
    Key<AgentSettings>{"log_level", "text", "\"info\"", "debug, info, warning, error or off",
                       [](auto& t, auto& v) {
                         using Pair = std::pair<std::string_view, std::string>;
                         return read_choice(t.log_level, v,
                                            std::array{Pair{"debug", "debug"}, Pair{"info", "info"},
                                                       Pair{"warning", "warning"},
                                                       Pair{"error", "error"}, Pair{"off", "off"}});
                       }},
    Key<AgentSettings>{"log_file", "path", "stderr", "the log goes there",
                       [](auto& t, auto& v) { return read_path(t.log_file, v); }},
    Key<AgentSettings>{"log_size", "size", "\"10MB\"", "of each file of the log",
                       [](auto& t, auto& v) { return read_size(t.log_size, v); }},
    Key<AgentSettings>{"log_files", "number", "5", "of the log, the oldest is dropped",
                       [](auto& t, auto& v) { return read_integer(t.log_files, v, 1, 100); }},
    Key<AgentSettings>{"rescan", "duration", "\"5m\"", "how often every inbox is scanned again",
                       [](auto& t, auto& v) { return read_some_time(t.rescan_every, v); }},
};

constexpr std::array kDashboard{
    Key<DashboardSettings>{"listen", "text", "\"off\"", "ADDRESS:PORT of the page, or \"off\"",
                           [](auto& t, auto& v) { return read_listen(t.listen, v); }},
};

constexpr std::array kEvents{
    Key<EventsSettings>{"listen", "text", "\"off\"",
                        "ADDRESS:PORT to which stores push events, or \"off\"",
                        [](auto& t, auto& v) { return read_listen(t.listen, v); }},
    Key<EventsSettings>{"secret", "where it is", "none", "{ env }, { file } or { secret }",
                        [](auto& t, auto& v) { return read_secret(t.secret, v); }},
    Key<EventsSettings>{"certificate", "path", "no TLS", "PEM file with the certificate chain",
                        [](auto& t, auto& v) { return read_path(t.certificate, v); }},
    Key<EventsSettings>{"private_key", "path", "no TLS", "PEM file with the private key",
                        [](auto& t, auto& v) { return read_path(t.private_key, v); }},
};

constexpr std::array kConverter{
    Key<ConverterSettings>{"url", "text", "none", "where conversions are sent (https)",
                           [](auto& t, auto& v) { return read_text(t.url, v); }},
    Key<ConverterSettings>{"account", "text", "scheme, host and port of url",
                           "what is billed; part of the idempotency key",
                           [](auto& t, auto& v) { return read_text(t.account, v); }},
    Key<ConverterSettings>{"api_key", "where it is", "none", "{ env }, { file } or { secret }",
                           [](auto& t, auto& v) { return read_secret(t.api_key, v); }},
    Key<ConverterSettings>{"upload", "text", "\"multipart\"",
                           "multipart, raw or url (a link, for inboxes in a bucket)",
                           [](auto& t, auto& v) {
                             using Pair = std::pair<std::string_view, Upload>;
                             return read_choice(
                                 t.upload, v,
                                 std::array{Pair{"multipart", Upload::Multipart},
                                            Pair{"raw", Upload::Raw}, Pair{"url", Upload::Url}});
                           }},
    Key<ConverterSettings>{"concurrency", "number", "\"auto\"", "requests in flight",
                           [](auto& t, auto& v) { return read_concurrency(t.concurrency, v); }},
    Key<ConverterSettings>{"rate", "rate", "learnt from answers", "requests per time",
                           [](auto& t, auto& v) { return read_rate(t.rate_per_second, v); }},
    Key<ConverterSettings>{"timeout", "duration", "\"120s\"", "how long the converter may think",
                           [](auto& t, auto& v) { return read_some_time(t.timeout, v); }},
    Key<ConverterSettings>{"max_size", "size", "\"100MB\"", "larger files are not sent",
                           [](auto& t, auto& v) { return read_size(t.max_size, v); }},
    Key<ConverterSettings>{"max_answer", "size", "\"4GiB\"", "larger answers are not believed",
                           [](auto& t, auto& v) { return read_size(t.max_answer, v); }},
    Key<ConverterSettings>{"quota_floor", "share or number", "none",
                           "pauses when less than this is left", &read_floor},
    Key<ConverterSettings>{"monthly_budget", "number", "none", "conversions a calendar month (UTC)",
                           [](auto& t, auto& v) {
                             std::int64_t n = 0;
                             auto wrong = read_integer(n, v, 1, 1'000'000'000'000);
                             if (wrong.empty()) t.monthly_budget = n;
                             return wrong;
                           }},
    Key<ConverterSettings>{"idempotency_window", "duration", "\"24h\"",
                           "how long the converter remembers a key",
                           [](auto& t, auto& v) { return read_duration(t.idempotency_window, v); }},
    Key<ConverterSettings>{
        "after_window", "text", "\"resend\"", "resend or hold, when an outcome stayed unknown",
        [](auto& t, auto& v) {
          using Pair = std::pair<std::string_view, AfterWindow>;
          return read_choice(
              t.after_window, v,
              std::array{Pair{"resend", AfterWindow::Resend}, Pair{"hold", AfterWindow::Hold}});
        }},
    Key<ConverterSettings>{"ca_file", "text", "the system's trust",
                           "PEM file of trusted authorities",
                           [](auto& t, auto& v) { return read_text(t.ca_file, v); }},
    Key<ConverterSettings>{"allow_fetch", "list of texts", "[]",
                           "of [converter.download]: HOST:PORT that may be asked though not public",
                           [](auto& t, auto& v) { return read_allowed_places(t.allow_fetch, v); }},
    Key<ConverterSettings>{"headers", "table", "{}",
                           "of [converter.download]: sent to a HOST:PORT, with where each value is",
                           [](auto& t, auto& v) { return read_headers(t.headers, v); }},
    Key<ConverterSettings>{"patience", "duration", "\"10m\"",
                           "of [converter.download]: a list that comes no further is ended",
                           [](auto& t, auto& v) { return read_some_time(t.patience, v); }},
};

constexpr std::array kS3{
    Key<S3Settings>{"endpoint", "text", "AWS", "https://HOST[:PORT] of the store",
                    [](auto& t, auto& v) { return read_text(t.endpoint, v); }},
    Key<S3Settings>{"region", "text", "\"us-east-1\"", "what requests are signed for",
                    [](auto& t, auto& v) { return read_text(t.region, v); }},
    Key<S3Settings>{"style", "text", "host for AWS, else path",
                    "whether the bucket stands in the host's name or in the path",
                    [](auto& t, auto& v) {
                      using Pair = std::pair<std::string_view, S3Style>;
                      return read_choice(
                          t.style, v,
                          std::array{Pair{"path", S3Style::Path}, Pair{"host", S3Style::Host}});
                    }},
    Key<S3Settings>{"access_key_id", "where it is", "as for AWS's own tools",
                    "{ env }, { file } or { secret }",
                    [](auto& t, auto& v) { return read_secret(t.access_key_id, v); }},
    Key<S3Settings>{"secret_access_key", "where it is", "as for AWS's own tools",
                    "{ env }, { file } or { secret }",
                    [](auto& t, auto& v) { return read_secret(t.secret_access_key, v); }},
    Key<S3Settings>{"session_token", "where it is", "none", "{ env }, { file } or { secret }",
                    [](auto& t, auto& v) { return read_secret(t.session_token, v); }},
    Key<S3Settings>{"profile", "text", "AWS_PROFILE, else default", "of ~/.aws/credentials",
                    [](auto& t, auto& v) { return read_text(t.profile, v); }},
    Key<S3Settings>{"ca_file", "text", "the system's trust", "PEM file of trusted authorities",
                    [](auto& t, auto& v) { return read_text(t.ca_file, v); }},
};

constexpr std::array kFolder{
    Key<FolderSettings>{"name", "text", "needed", "what messages and commands call it",
                        [](auto& t, auto& v) { return read_name(t.name, v); }},
    Key<FolderSettings>{"inbox", "path or s3://", "needed", "files are dropped here",
                        [](auto& t, auto& v) { return read_place(t.inbox, v); }},
    Key<FolderSettings>{"outbox", "path or s3://", "needed", "results appear here",
                        [](auto& t, auto& v) { return read_place(t.outbox, v); }},
    Key<FolderSettings>{"to", "list of texts", "needed", "target formats",
                        [](auto& t, auto& v) { return read_texts(t.to, v); }},
    Key<FolderSettings>{"via", "text", "\"local\"", "name of the converter",
                        [](auto& t, auto& v) { return read_text(t.via, v); }},
    Key<FolderSettings>{"include", "list of patterns", "[\"*\"]", "which names are converted",
                        [](auto& t, auto& v) { return read_texts(t.include, v); }},
    Key<FolderSettings>{"exclude", "list of patterns", "[]", "which are not",
                        [](auto& t, auto& v) { return read_texts(t.exclude, v); }},
    Key<FolderSettings>{"in_flight", "list of patterns", kInFlight, "names of unfinished files",
                        [](auto& t, auto& v) {
                          t.own_in_flight = true;
                          return read_texts(t.in_flight, v);
                        }},
    Key<FolderSettings>{"recursive", "flag", "true", "subfolders too",
                        [](auto& t, auto& v) { return read_flag(t.recursive, v); }},
    Key<FolderSettings>{"settle", "duration", "\"auto\"", "quiet time before a file is whole",
                        [](auto& t, auto& v) { return read_auto_duration(t.settle, v); }},
    Key<FolderSettings>{"poll", "duration", "\"auto\"", "look this often instead of hearing events",
                        [](auto& t, auto& v) { return read_poll(t.poll, v); }},
    Key<FolderSettings>{"ready_marker", "text", "none", "\"{name}.ready\": wait for this file",
                        [](auto& t, auto& v) { return read_text(t.ready_marker, v); }},
    Key<FolderSettings>{"output", "text", "\"{stem}.{to}\"", "name of a result",
                        [](auto& t, auto& v) { return read_text(t.output, v); }},
    Key<FolderSettings>{"after", "text", "\"keep\"", "keep, archive or delete a converted source",
                        [](auto& t, auto& v) {
                          using Pair = std::pair<std::string_view, AfterSuccess>;
                          return read_choice(t.after, v,
                                             std::array{Pair{"keep", AfterSuccess::Keep},
                                                        Pair{"archive", AfterSuccess::Archive},
                                                        Pair{"delete", AfterSuccess::Delete}});
                        }},
    Key<FolderSettings>{"failed", "text", "\"keep\"", "keep or quarantine a source that failed",
                        [](auto& t, auto& v) {
                          using Pair = std::pair<std::string_view, AfterFailure>;
                          return read_choice(
                              t.failed, v,
                              std::array{Pair{"keep", AfterFailure::Keep},
                                         Pair{"quarantine", AfterFailure::Quarantine}});
                        }},
    Key<FolderSettings>{"changed", "text", "\"reconvert\"",
                        "reconvert or skip a source that changed later",
                        [](auto& t, auto& v) {
                          using Pair = std::pair<std::string_view, WhenChanged>;
                          return read_choice(t.changed, v,
                                             std::array{Pair{"reconvert", WhenChanged::Reconvert},
                                                        Pair{"skip", WhenChanged::Skip}});
                        }},
    Key<FolderSettings>{"archive", "path", "archive/ beside the inbox", "for after = \"archive\"",
                        [](auto& t, auto& v) { return read_place(t.archive, v); }},
    Key<FolderSettings>{"quarantine", "path", "failed/ beside the inbox",
                        "for failed = \"quarantine\"",
                        [](auto& t, auto& v) { return read_place(t.quarantine, v); }},
    Key<FolderSettings>{"options", "table", "{}", "passed to the converter",
                        [](auto& t, auto& v) { return read_options(t.options, v); }},
};

}  // namespace

std::span<const Key<AgentSettings>> agent_keys() { return kAgent; }
std::span<const Key<DashboardSettings>> dashboard_keys() { return kDashboard; }
std::span<const Key<EventsSettings>> events_keys() { return kEvents; }
std::span<const Key<ConverterSettings>> converter_keys() { return kConverter; }
std::span<const Key<S3Settings>> s3_keys() { return kS3; }
std::span<const Key<FolderSettings>> folder_keys() { return kFolder; }

std::string_view did_you_mean(std::string_view unknown, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t least = std::max<std::size_t>(2, unknown.size() / 3) + 1;
  for (const std::string_view name : names) {
    // "targt" is for `to`; a word that begins like the key's meaning is a near miss as well.
    const std::size_t distance = edit_distance(unknown, name);
    if (distance < least) least = distance, best = name;
  }
  return best;
}

}  // namespace millrace
