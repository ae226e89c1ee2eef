// Who may read or change a file, beside its owner.
#pragma once

#include <filesystem>
#include <system_error>

namespace millrace {

// As the bits of a Unix mode, links followed. Windows: from the access list; others_read and
// others_write where it allows everybody, every user or every guest of the machine to do so, and no
// other bit. `problem` is set where that cannot be looked at.
std::filesystem::perms permissions_of(const std::filesystem::path& path, std::error_code& problem);

}  // namespace millrace
