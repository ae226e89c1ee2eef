// Renames and removals that never lose a file, among programs that hold files for a moment.
#pragma once

#include <windows.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>

#include "platform/base/result.hpp"

namespace millrace {

// What waits between two tries; tests put a counter here.
using Pause = std::function<void(std::chrono::milliseconds)>;
void sleep_for(std::chrono::milliseconds time);

// Scanners for viruses, indexers and backups open a new file for some milliseconds and share
// nothing: ten seconds in all, each wait twice as long as the last.
constexpr std::array<std::chrono::milliseconds, 10> kPauses = {
    std::chrono::milliseconds{10},   std::chrono::milliseconds{20},
    std::chrono::milliseconds{40},   std::chrono::milliseconds{80},
    std::chrono::milliseconds{160},  std::chrono::milliseconds{320},
    std::chrono::milliseconds{640},  std::chrono::milliseconds{1280},
    std::chrono::milliseconds{2560}, std::chrono::milliseconds{4890}};

enum class IfTaken { Refuse, Replace };

// Moves `from` to `to`; if `to` is taken, Exists or in its place. What MoveFileExW does with or
// without MOVEFILE_REPLACE_EXISTING, relative to open directories. Access denied (5), a sharing
// violation (32) and a lock (33) are tried again after each of kPauses. After an error both names
// are looked at before it is believed: a server may have done what it reports as failed. Blocks.
Result<void> move_at(HANDLE from_dir, const std::wstring& from, HANDLE to_dir,
                     const std::wstring& to, IfTaken if_taken, const std::string& name,
                     const Pause& pause = sleep_for);

// A file or a link, no directory (Input). Tried again as above.
Result<void> remove_at(HANDLE dir, const std::wstring& leaf, const std::string& name,
                       const Pause& pause = sleep_for);

}  // namespace millrace
