#include "agent/watch/tree_scan.hpp"

#include <vector>

namespace millrace {
namespace {

class Walk {
 public:
  Walk(Directory& directory, const NameFilter& filter, ScanVisitor& visitor)
      : directory_(directory), filter_(filter), visitor_(visitor) {}

  Result<Completeness> run(const Name& below) {
    waiting_.push_back(below);
    for (bool first = true; !waiting_.empty() && !stopped_; first = false) {
      const Name here = std::move(waiting_.back());
      waiting_.pop_back();
      visitor_.still_alive();
      auto listed = directory_.list(here, [&](const Directory::Entry& entry) {
        const Visit next = take(entry);
        stopped_ = next == Visit::Stop;
        return next;
      });
      if (listed || listed.error().kind == ErrorKind::Vanished) {
        if (!listed && first) return std::unexpected(listed.error());
        continue;
      }
      if (first) return std::unexpected(listed.error());
      completeness_ = Completeness::Partial;
      stopped_ =
          visitor_.refused(here, "cannot be listed: " + listed.error().message) == Visit::Stop;
    }
    return stopped_ ? Completeness::Partial : completeness_;
  }

 private:
  Visit take(const Directory::Entry& entry) {
    visitor_.still_alive();
    if (entry.type == FileType::Directory) {
      if (!filter_.why_not_enter(entry.name)) {
        waiting_.push_back(entry.name);
        return Visit::Continue;
      }
      return visitor_.left_out(entry.name);
    }
    if (filter_.why_not(entry.name)) return visitor_.left_out(entry.name);
    if (auto reason = refusal_of(entry.type); !reason.empty()) {
      return visitor_.refused(entry.name, std::move(reason));
    }
    auto info = entry.info();
    if (info && info->type == FileType::Regular) return visitor_.file(entry.name, *info);
    if (info) return visitor_.refused(entry.name, refusal_of(info->type));
    if (info.error().kind == ErrorKind::Vanished) return Visit::Continue;
    completeness_ = Completeness::Partial;
    return visitor_.refused(entry.name, info.error().message);
  }

  Directory& directory_;
  const NameFilter& filter_;
  ScanVisitor& visitor_;
  std::vector<Name> waiting_;
  Completeness completeness_ = Completeness::Whole;
  bool stopped_ = false;
};

}  // namespace

Result<Completeness> scan_tree(Directory& directory, const NameFilter& filter, const Name& below,
                               ScanVisitor& visitor) {
  return Walk(directory, filter, visitor).run(below);
}

std::string refusal_of(FileType type) {
  switch (type) {
    case FileType::Regular:
    case FileType::Directory:
      return "";
    case FileType::Symlink:
      return "it is a symbolic link, and links are never followed";
    case FileType::Other:
      break;
  }
  return "it is no regular file (FIFO, socket or device)";
}

}  // namespace millrace
