// What Linux calls the kinds of file systems, and what is known of each: the one table of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "platform/base/file_system_nature.hpp"

namespace millrace {

struct FileSystemType {
  std::uint32_t number = 0;
  std::string_view name = "unknown";
  FileSystemNature nature = FileSystemNature::Local;
  FileIds ids = FileIds::Stable;
};

// `number` is f_type of statfs(2), a signed word on some systems: its low 32 bits count. An unknown
// one is taken as local, with stable numbers.
FileSystemType file_system_type(std::uint64_t number);

}  // namespace millrace
