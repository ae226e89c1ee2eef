// The judgements of `millrace check`, apart from looking: no disk, no network, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/cli/check_finding.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

// Error where outboxes pause for want of space (space_reserve, 32 inodes); Warning under 5 % and
// under 1 GB. Nothing if the file system does not say how large it is.
std::optional<Finding> judge_space(std::string subject, const Space& space);

// `ahead`: our clock less the server's; negative if ours is behind. Warning past 2 min, Error past
// 10 min: certificates and idempotency windows go by it.
Finding judge_clock(std::string subject, Duration ahead);

// A limit on watches and the setting that raises it: "fs.inotify.max_user_watches".
struct WatchLimit {
  std::uint64_t most = 0;
  std::string setting;
};
Finding judge_watches(std::uint64_t directories, const WatchLimit& limit);

// Where a ledger lies: SQLite's write-ahead log needs shared memory, which no network file system
// gives (https://www.sqlite.org/wal.html).
Finding judge_state_place(std::string path, const FileSystemKind& kind);

// "watched (ext4)", "polled every 10s: cifs does not tell of changes".
std::string watched_how(const FolderSettings& folder, const FileSystemKind& kind);

// What a person can do about a server that gave no answer.
std::string advice_for(const Error& unreachable, const std::string& ca_file);

// What a person can do about a key that cannot be read.
std::string advice_for(const SecretRef& key);

std::string bytes_text(std::uint64_t bytes);  // "12.3 GB", powers of 1000

}  // namespace millrace
