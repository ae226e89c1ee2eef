// Open files on Linux.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "platform/base/descriptor_linux.hpp"
#include "platform/base/file_system_type_linux.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// What is known of a file system by its type, statfs(2).
struct FileSystemTraits {
  FileIds ids = FileIds::Stable;
  bool leases_see_all_writers = true;  // false: writers on other machines or behind FUSE
};
FileSystemTraits traits_of(int fd);

FileInfo to_info(const struct stat& status, FileIds ids);

std::unique_ptr<InputFile> make_input_file(Descriptor fd, std::string name, FileIds ids);
std::unique_ptr<NewFile> make_new_file(Descriptor fd, std::string name, FileIds ids);

}  // namespace millrace
