#include "platform/fs/publish_windows.hpp"

#include <winternl.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "platform/fs/at_windows.hpp"
#include "platform/fs/crash_point.hpp"
#include "platform/fs/files_windows.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

bool may_pass(DWORD code) {
  return code == ERROR_ACCESS_DENIED || code == ERROR_SHARING_VIOLATION ||
         code == ERROR_LOCK_VIOLATION;
}

// Calls until it gives something else than an error that may pass.
template <typename Call>
DWORD again_while_held(const Pause& pause, Call call) {
  DWORD code = call();
  for (const auto time : kPauses) {
    if (!may_pass(code)) break;
    pause(time);
    code = call();
  }
  return code;
}

std::optional<FileIdentity> node_at(HANDLE dir, const std::wstring& leaf) {
  const auto node = open_at(dir, leaf, {});
  return node ? identity_of(node->get()) : std::nullopt;
}

bool is_directory(HANDLE file) {
  const auto attributes = attributes_of(file);
  return attributes && type_of(*attributes) == FileType::Directory;
}

}  // namespace

void sleep_for(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

Result<void> move_at(HANDLE from_dir, const std::wstring& from, HANDLE to_dir,
                     const std::wstring& to, IfTaken if_taken, const std::string& name,
                     const Pause& pause) {
  const auto moved = node_at(from_dir, from);
  crash_point();
  const DWORD code = again_while_held(pause, [&]() -> DWORD {
    const auto file = open_at(from_dir, from, {.access = DELETE | FILE_READ_ATTRIBUTES});
    if (!file) return file.error();
    const DWORD failed = rename_at(file->get(), to_dir, to, if_taken == IfTaken::Replace);
    if (failed != ERROR_ACCESS_DENIED) return failed;
    // Also said of a name that is taken by what cannot be replaced, which no waiting changes.
    const auto taken = open_at(to_dir, to, {});
    if (!taken) return failed;
    if (if_taken == IfTaken::Refuse) return ERROR_ALREADY_EXISTS;
    return is_directory(taken->get()) ? kIsDirectory : failed;
  });
  if (code == 0) return {};
  const bool arrived = moved && node_at(to_dir, to) == moved && node_at(from_dir, from) != moved;
  return arrived ? Result<void>{} : os_failure(static_cast<int>(code), name);
}

Result<void> remove_at(HANDLE dir, const std::wstring& leaf, const std::string& name,
                       const Pause& pause) {
  crash_point();
  const DWORD code = again_while_held(pause, [&]() -> DWORD {
    const auto file = open_at(dir, leaf, {.access = DELETE | FILE_READ_ATTRIBUTES});
    if (!file) return file.error();
    if (is_directory(file->get())) return kIsDirectory;
    return delete_opened(file->get());
  });
  return code == 0 ? Result<void>{} : os_failure(static_cast<int>(code), name);
}

}  // namespace millrace
