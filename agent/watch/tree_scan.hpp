// One walk over a tree of names. Knows nothing of what is done with what it finds.
#pragma once

#include <string>

#include "agent/job/candidate.hpp"
#include "agent/watch/name_filter.hpp"
#include "agent/watch/root.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// Called between system calls; Stop ends the walk.
class ScanVisitor {
 public:
  virtual ~ScanVisitor() = default;
  virtual Visit file(const Name& name, const FileInfo& info) = 0;  // a candidate
  virtual Visit refused(const Name& name, std::string reason) = 0;
  virtual Visit left_out(const Name& name) = 0;  // by a pattern
  virtual void still_alive() = 0;
};

// Links are not followed, nothing is opened. Fails only if `below` itself cannot be listed; what is
// beneath it and cannot is refused and makes the walk Partial. Blocks.
Result<Completeness> scan_tree(Directory& directory, const NameFilter& filter, const Name& below,
                               ScanVisitor& visitor);

// Why an entry can never be a candidate; empty for a regular file or a folder.
std::string refusal_of(FileType type);

}  // namespace millrace
