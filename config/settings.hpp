// The settings as the program uses them: checked, with defaults filled in.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "platform/base/clock.hpp"

namespace millrace {

// Where a secret is; never the secret itself.
struct SecretRef {
  enum class Where { None, Env, File, Store } where = Where::None;
  std::string name;  // variable, path, or name in the secret store
  bool operator==(const SecretRef&) const = default;
};

struct AgentSettings {
  std::filesystem::path state_dir;
  int workers = 16;
  std::string log_level = "info";
  std::filesystem::path log_file;  // empty: stderr
  std::uint64_t log_size = 10'000'000;
  int log_files = 5;
  Duration rescan_every = std::chrono::minutes{5};
  bool operator==(const AgentSettings&) const = default;
};

struct DashboardSettings {
  std::string listen = "off";
  bool operator==(const DashboardSettings&) const = default;
};

struct EventsSettings {  // where stores push events to
  std::string listen = "off";
  SecretRef secret;
  std::filesystem::path certificate, private_key;  // empty: no TLS, on this machine only
  bool operator==(const EventsSettings&) const = default;
};

enum class Upload { Multipart, Raw, Url };
enum class AfterWindow { Resend, Hold };

struct DownloadHeader {
  std::string place;  // "host:443", in lower case
  std::string name;
  SecretRef value;
  bool operator==(const DownloadHeader&) const = default;
};

struct ConverterSettings {
  std::string name;
  bool embedded = false;   // [converter.local]: started by the agent
  bool downloads = false;  // [converter.download]: fetches the files that lists name
  std::string url;
  std::string unix_socket;  // set by the agent for the embedded one
  std::string account;      // empty: scheme, host and port of the URL
  SecretRef api_key;
  Upload upload = Upload::Multipart;
  std::optional<int> concurrency;         // nothing: "auto"
  std::optional<double> rate_per_second;  // nothing: learnt
  Duration timeout = std::chrono::seconds{120};
  std::uint64_t max_size = 100'000'000;
  std::uint64_t max_answer = std::uint64_t{4} << 30;
  std::optional<double> quota_floor_share;
  std::optional<std::int64_t> quota_floor;
  std::optional<std::int64_t> monthly_budget;
  Duration idempotency_window = std::chrono::hours{24};
  AfterWindow after_window = AfterWindow::Resend;
  std::string ca_file;
  std::vector<DownloadHeader> headers;           // downloads: sent to their place alone
  std::vector<std::string> allow_fetch;          // downloads: "host:443", in lower case
  Duration patience = std::chrono::minutes{10};  // downloads: without progress
  bool operator==(const ConverterSettings&) const = default;
};

enum class S3Style { Path, Host };

struct S3Settings {  // [s3.NAME]
  std::string name;
  std::string endpoint;  // empty: AWS
  std::string region = "us-east-1";
  std::optional<S3Style> style;  // nothing: Host for AWS, Path for any other endpoint
  // None: where users of AWS keep them (environment, profile, container, instance).
  SecretRef access_key_id, secret_access_key, session_token;
  std::string profile;  // of ~/.aws; empty: AWS_PROFILE, else `default`
  std::string ca_file;
  bool operator==(const S3Settings&) const = default;
};

enum class AfterSuccess { Keep, Archive, Delete };
enum class AfterFailure { Keep, Quarantine };
enum class WhenChanged { Reconvert, Skip };

struct FolderSettings {
  std::string name;
  // This and the other places may be buckets: see bucket_of().
  std::filesystem::path inbox;
  std::filesystem::path outbox;
  bool skip_same_format = false;  // files that are in a target format already (convert)
  bool make_outbox = false;  // only where the program itself chose the folder (convert, quickstart)
  std::vector<std::string> to;
  std::string via = "local";
  std::vector<std::string> include{"*"};
  std::vector<std::string> exclude;
  bool own_in_flight = false;          // `in_flight` replaces the usual list
  std::vector<std::string> in_flight;  // name patterns of files that are still being written
  bool recursive = true;
  std::optional<Duration> settle;  // nothing: "auto"
  std::optional<Duration> poll;    // nothing: events where there are any, else 10 s
  std::string ready_marker;
  std::string output = "{stem}.{to}";
  AfterSuccess after = AfterSuccess::Keep;
  AfterFailure failed = AfterFailure::Keep;
  WhenChanged changed = WhenChanged::Reconvert;
  std::filesystem::path archive;     // default: archive/ beside the inbox
  std::filesystem::path quarantine;  // default: failed/ beside the inbox
  std::map<std::string, std::string> options;
  bool operator==(const FolderSettings&) const = default;
};

struct Settings {
  std::filesystem::path file;
  AgentSettings agent;
  DashboardSettings dashboard;
  EventsSettings events;
  std::vector<ConverterSettings> converters;
  std::vector<S3Settings> stores;
  std::vector<FolderSettings> folders;
  bool operator==(const Settings&) const = default;

  const ConverterSettings* converter(const std::string& name) const;
  const S3Settings* store(const std::string& name) const;
  const FolderSettings* folder(const std::string& name) const;
  // Its inbox takes lists of downloads.
  bool takes_lists(const FolderSettings& folder) const;
};

}  // namespace millrace
