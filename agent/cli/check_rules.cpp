#include "agent/cli/check_rules.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "agent/deliver/local_outbox.hpp"
#include "config/values.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"

namespace millrace {
namespace {

constexpr std::uint64_t kLowBytes = 1'000'000'000;
constexpr std::uint64_t kLowShare = 20;        // one part in twenty: 5 %
constexpr std::uint64_t kReservedInodes = 32;  // as space_reserve: what an outbox pauses at
constexpr Duration kClockWarning = std::chrono::minutes{2};
constexpr Duration kClockError = std::chrono::minutes{10};
// Other programs of the same user watch as well.
constexpr std::uint64_t kWatchSharePercent = 80;

struct Advice {
  std::string_view needle;  // in the message of agent/transfer or of the TLS library
  std::string_view what_to_do;
};

// The kind is Unreachable for all of them, since the agent treats them alike; a person does not.
constexpr std::array kAdvice{
    Advice{"cannot find the address", "check the host name in `url` and this machine's DNS"},
    Advice{"not yet valid", "set this machine's clock, then try again"},
    Advice{"has expired",
           "the server's operator must renew its certificate; if only this machine "
           "sees it, set its clock"},
    Advice{"does not match", "use the host name that the certificate is for in `url`"},
    Advice{"IP address mismatch", "use the host name that the certificate is for in `url`"},
    Advice{"no alternative certificate", "use the host name that the certificate is for in `url`"},
    Advice{"no file with trusted", "install the system's authorities (ca-certificates)"},
    Advice{"error setting certificate", "set `ca_file` to a PEM file with certificates"},
    Advice{"error adding trust", "set `ca_file` to a PEM file with certificates"},
    Advice{"wrong version number", "the port speaks no TLS: check scheme and port of `url`"},
    Advice{"cannot connect",
           "check that the server runs, the port in `url`, and the firewall; "
           "proxy variables of the environment are not used"},
    Advice{"no connection",
           "check the network and the firewall; proxy variables of the "
           "environment are not used"},
};

std::string percent_text(std::uint64_t part, std::uint64_t whole) {
  return std::to_string(part * 100 / whole) + " %";
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array kUnits{"bytes", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::optional<Finding> judge_space(std::string subject, const Space& space) {
  if (space.total_bytes == 0) return std::nullopt;
  const std::string message = bytes_text(space.free_bytes) + " free (" +
                              percent_text(space.free_bytes, space.total_bytes) + ")";
  if (space.free_bytes < space_reserve(space.total_bytes)) {
    return Finding{FindingLevel::Error, std::move(subject), "the disk is full: " + message,
                   "make room; nothing is converted until there is some"};
  }
  if (space.free_inodes < kReservedInodes) {
    return Finding{FindingLevel::Error, std::move(subject),
                   "the file system can hold no more files (no free inodes)",
                   "remove files that are not needed"};
  }
  if (space.free_bytes < kLowBytes && space.free_bytes < space.total_bytes / kLowShare) {
    return Finding{FindingLevel::Warning, std::move(subject), "the disk is nearly full: " + message,
                   "make room"};
  }
  return found_well(std::move(subject), message);
}

Finding judge_clock(std::string subject, Duration ahead) {
  const Duration off = ahead < Duration::zero() ? -ahead : ahead;
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(off);
  const std::string message = "this machine's clock is " + duration_text(whole) +
                              (ahead < Duration::zero() ? " behind" : " ahead of") +
                              " the server's";
  if (off <= kClockWarning) return found_well(std::move(subject), "agrees with the server's");
  return {off > kClockError ? FindingLevel::Error : FindingLevel::Warning, std::move(subject),
          message, "set the clock, best by time synchronisation (" + how_to_set_clock() + ")"};
}

Finding judge_watches(std::uint64_t directories, const WatchLimit& limit) {
  const std::string message = "folders to watch: " + std::to_string(directories) + "; " +
                              limit.setting + " is " + std::to_string(limit.most);
  if (directories <= limit.most / 100 * kWatchSharePercent ||
      directories * 100 <= limit.most * kWatchSharePercent) {
    return found_well("watch limit", message);
  }
  const std::uint64_t enough = std::max<std::uint64_t>(directories * 2, 524'288);
  return {FindingLevel::Warning, "watch limit",
          message + (directories > limit.most ? ": some inboxes will be polled instead"
                                              : ", and other programs use watches too"),
          "sysctl -w " + limit.setting + "=" + std::to_string(enough) +
              ", and the same line in /etc/sysctl.d/"};
}

Finding judge_state_place(std::string path, const FileSystemKind& kind) {
  if (kind.nature == FileSystemNature::Network) {
    return {FindingLevel::Error, "state folder",
            path + " is on a network file system (" + kind.name + "), where a ledger breaks",
            "set `state_dir` in [agent] to a folder on a disk of this machine"};
  }
  if (kind.nature == FileSystemNature::Fuse) {
    return {FindingLevel::Warning, "state folder",
            path + " is on " + kind.name + ", which may not keep what it was told to keep",
            "better set `state_dir` in [agent] to a folder on a disk of this machine"};
  }
  return found_well("state folder", std::move(path) + " (" + kind.name + ")");
}

std::string watched_how(const FolderSettings& folder, const FileSystemKind& kind) {
  if (folder.poll) return "polled every " + duration_text(*folder.poll) + ", as `poll` says";
  if (kind.events == ChangeEvents::Complete) return "watched (" + kind.name + ")";
  return "polled every " + duration_text(WatchOptions{}.poll_every) + ", since on " + kind.name +
         " the system does not tell of all changes";
}

std::string advice_for(const Error& unreachable, const std::string& ca_file) {
  for (const Advice& row : kAdvice) {
    if (unreachable.message.find(row.needle) != std::string::npos) {
      return std::string(row.what_to_do);
    }
  }
  if (unreachable.message.find("not trusted by") != std::string::npos) {
    if (!ca_file.empty()) {
      return "put the certificate of the server's authority (PEM) into " + ca_file;
    }
    const std::string more = how_to_trust_more();
    return "if the server is yours, set `ca_file` to its authority's certificate (PEM); if not, "
           "somebody may be listening in" +
           (more.empty() ? "" : "; " + more);
  }
  return "check `url`";
}

std::string advice_for(const SecretRef& key) {
  switch (key.where) {
    case SecretRef::Where::Env:
      return "set " + key.name +
             " in the environment that starts the agent, or keep the key with "
             "`millrace secret set NAME` and write { secret = \"NAME\" } in its place";
    case SecretRef::Where::File:
      return "write the key into " + key.name + ", then " + how_to_close(native_path(key.name));
    case SecretRef::Where::Store:
      return "run: millrace secret set " + key.name;
    case SecretRef::Where::None:
      break;
  }
  return "write api_key = { env = \"...\" }";
}

}  // namespace millrace
