#include "agent/watch/version.hpp"

#include <array>
#include <charconv>

namespace millrace {

namespace {

// Four numbers of up to 20 digits, and what parts them; on the stack, since every look at a file
// compares one.
class VersionText {
 public:
  VersionText(const FileInfo& info, FileSystemNature nature) {
    add(info.size);
    add(info.mtime_ns);
    if (nature != FileSystemNature::Local || info.file_id == 0) return;
    add(info.changed_ns);
    add(info.file_id);
  }
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  template <typename Integer>
  void add(Integer number) {
    if (size_ > 0) text_[size_++] = '.';
    const auto end = std::to_chars(text_.data() + size_, text_.data() + text_.size(), number).ptr;
    size_ = static_cast<std::size_t>(end - text_.data());
  }

  std::array<char, 96> text_;
  std::size_t size_ = 0;
};

}  // namespace

std::string version_text(const FileInfo& info, FileSystemNature nature) {
  return std::string(VersionText(info, nature).view());
}

bool is_version(const FileInfo& info, FileSystemNature nature, std::string_view version) {
  return VersionText(info, nature).view() == version;
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
