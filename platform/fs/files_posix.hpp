// Open files on Linux and macOS.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "platform/base/descriptor_posix.hpp"
#include "platform/base/file_system_nature.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// -- answered by each system apart ----------------------------------------------------------------
FileIds file_ids_of(int fd);
// The kind of file system as text; nothing where the system does not say.
std::optional<std::string> mount_type_of(int fd);
WriterPresence writer_of(int fd);
bool lacks_its_bytes(const struct stat& status);
// Asks for what was written, or for a folder's names, to be on the medium. 0, or -1 with errno.
int flush_to_disk(int fd);
// Why a folder of the settings cannot be opened, with what to do about it where the system is known
// to want something.
std::unexpected<Error> folder_refused(int os_code, const std::filesystem::path& folder);

// -- the same on all -----------------------------------------------------------------------------
FileInfo to_info(const struct stat& status, FileIds ids);

std::unique_ptr<InputFile> make_input_file(Descriptor fd, std::string name, FileIds ids);
std::unique_ptr<NewFile> make_new_file(Descriptor fd, std::string name);

}  // namespace millrace
