#include "agent/watch/version.hpp"

namespace millrace {

std::string version_text(const FileInfo& info, FileSystemNature nature) {
  std::string text = std::to_string(info.size) + '.' + std::to_string(info.mtime_ns);
  if (nature == FileSystemNature::Local && info.file_id != 0) {
    text += '.' + std::to_string(info.changed_ns) + '.' + std::to_string(info.file_id);
  }
  return text;
}

Stamp stamp_of(const FileInfo& info) {
  return {info.size, info.mtime_ns, info.changed_ns, info.file_id};
}

std::int64_t change_age_ns(const FileInfo& info, WallTime now) {
  if (info.changed_ns == 0) return 0;
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch());
  return since.count() - info.changed_ns;
}

}  // namespace millrace
