// Small files read and written as a whole: settings, secrets, markers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/fs/file_system.hpp"

namespace millrace {

// Input if it holds more than `limit` bytes. Blocks.
Result<std::string> read_small_file(Directory& directory, const std::string& name,
                                    std::uint64_t limit);

// Old content or new content, never a mixture, and durable when it returns: written aside, synced,
// renamed over `name`, directory synced. Blocks.
Result<void> write_small_file(Directory& directory, const std::string& name,
                              std::string_view content, Access access);

}  // namespace millrace
