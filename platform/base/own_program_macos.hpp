// The file of the running program.
#pragma once

#include <filesystem>

namespace millrace {

// Links resolved; empty where the system does not say.
std::filesystem::path own_program();

}  // namespace millrace
