// Tells a folder from the bare directory that shows when its share is not mounted.
#pragma once

#include <string>

#include "platform/fs/file_system.hpp"

namespace millrace {

// What one inbox was mounted as when it was last seen well. One thread at a time.
class MountMemory {
 public:
  // Environment if the path leads to an empty directory where another kind of mount was before:
  // its files are away, not deleted. May block.
  Result<void> admit(Directory& directory);

 private:
  std::string kind_;
};

}  // namespace millrace
