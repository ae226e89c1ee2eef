// What a person types to mend what a program should not mend by itself, in the shell of this
// system.
#pragma once

#include <filesystem>
#include <string>

namespace millrace {

// A path as the shell takes it, quoted where that is needed.
std::string shell_text(const std::string& path);

std::string how_to_make_folder(const std::filesystem::path& folder);
// So that the account which runs the agent may read a file or what is in a folder, or write into a
// folder. On Windows that is the account of the service.
std::string how_to_let_read(const std::filesystem::path& path);
std::string how_to_let_write(const std::filesystem::path& folder);
// So that nobody but its owner (Windows: and the service and the administrators) may read or change
// a file, or what is in a folder.
std::string how_to_close(const std::filesystem::path& path);
// So that nobody else may change a file.
std::string how_to_keep_from_change(const std::filesystem::path& file);
// So that the clock is right from now on.
std::string how_to_set_clock();
// So that an authority is trusted which the system could know by itself; empty where it knows all
// of its own at once.
std::string how_to_trust_more();

}  // namespace millrace
