// How a local file's version and stamp are made from what the file system says.
#pragma once

#include <string>
#include <string_view>

#include "agent/job/observation.hpp"
#include "platform/base/clock.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

// Candidate::version: "size.mtime.ctime.inode" on a local file system, "size.mtime" on a network
// share, FUSE or FAT, where inodes and change times do not survive a remount. Nanoseconds since
// 1970.
std::string version_text(const FileInfo& info, FileSystemNature nature);

// Whether that would be `version`; allocates nothing.
bool is_version(const FileInfo& info, FileSystemNature nature, std::string_view version);

Stamp stamp_of(const FileInfo& info);

// How long ago the file changed by its change time; zero where there is none. Nanoseconds.
std::int64_t change_age_ns(const FileInfo& info, WallTime now);

}  // namespace millrace
