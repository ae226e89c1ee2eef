#include "platform/fs/beneath_windows.hpp"

#include <winternl.h>

#include "platform/base/long_path_windows.hpp"
#include "platform/fs/files_windows.hpp"
#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/fs/windows_facts.hpp"

namespace millrace {
namespace {

Result<Handle> open_one(HANDLE above, const std::wstring& part, ACCESS_MASK also,
                        const std::string& name) {
  OpenAt how;
  how.access = kDirectoryAccess | also;
  how.options = FILE_DIRECTORY_FILE | FILE_OPEN_FOR_BACKUP_INTENT;
  auto opened = open_at(above, part, how);
  if (!opened) return os_failure(static_cast<int>(opened.error()), name);
  const auto attributes = attributes_of(opened->get());
  if (!attributes) return os_failure(static_cast<int>(::GetLastError()), name);
  if (type_of(*attributes) == FileType::Symlink) return os_failure(kIsLink, name);
  return std::move(*opened);
}

}  // namespace

Result<Handle> open_directory_beneath(HANDLE root, const std::string& name, ACCESS_MASK also) {
  if (name.empty()) return open_one(root, L"", also, ".");
  if (auto checked = check_windows_name(name); !checked) return std::unexpected(checked.error());
  const auto parts = split_name(name);
  Handle here;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto next = open_one(here ? here.get() : root, *wide_name(parts[i]),
                         i + 1 == parts.size() ? also : 0, name);
    if (!next) return next;
    here = std::move(*next);
  }
  return here;
}

Result<Place> Place::find(HANDLE root, const std::string& name) {
  if (auto checked = check_windows_name(name); !checked) return std::unexpected(checked.error());
  const std::string parent(parent_of(name));
  std::wstring leaf = *wide_name(leaf_of(name));
  if (parent.empty()) return Place(root, Handle(), std::move(leaf));
  auto directory = open_directory_beneath(root, parent);
  if (!directory) return std::unexpected(directory.error());
  return Place(root, std::move(*directory), std::move(leaf));
}

}  // namespace millrace
