#include <fcntl.h>

#include "platform/fs/beneath_posix.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {

// A folder that may be passed through and not be read is refused: O_SEARCH came with macOS 13.
int directory_flags(DirectoryUse) { return O_DIRECTORY | O_CLOEXEC | O_RDONLY; }

Result<Descriptor> open_directory_beneath(int root, const std::string& name, DirectoryUse use,
                                          Resolver) {
  if (name.empty()) return open_directory_again(root, use);
  if (auto checked = check_relative_name(name); !checked) return std::unexpected(checked.error());
  return walk_to_directory(root, name, use);
}

}  // namespace millrace
