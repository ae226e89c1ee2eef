// Access lists: who may open what we keep. Wine answers from the mode of the Unix file.
#pragma once

#include <filesystem>

#include "platform/base/result.hpp"

namespace millrace {

// Makes a folder that SYSTEM, the administrators, its owner and our service may open, and nobody
// else. One that is there is left as it is; Environment if it belongs to somebody who is none of
// these.
Result<void> make_private_folder(const std::filesystem::path& folder);

// Gives a file or a folder, and what a folder holds, such a list, and to the administrators. Needs
// an administrator.
Result<void> make_private(const std::filesystem::path& path);

// Lets an account, given as a security identifier ("S-1-5-19"), read, write and delete a folder and
// all in it, or read a file, or run it too; what else the list says stays. Needs the right to
// change the list. What is not there is Environment.
enum class FileUse { Read, Run };
Result<void> grant_use(const std::filesystem::path& path, const wchar_t* sid,
                       FileUse file_use = FileUse::Read);

}  // namespace millrace
