// An outbox that is a folder of a mounted file system.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "agent/deliver/outbox.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

struct LocalOutboxOptions {
  // Which agent this is: lower-case letters and digits, at most 32. Temporaries carry it, and only
  // those that carry it are ever removed, so that agents and batches with ledgers of their own can
  // share an outbox. Best made from the state folder's path, which survives the loss of the ledger.
  std::string owner = "agent";
  // Whether a job may still come back for its temporary (Delivering, or its result was kept). Asked
  // by remove_leftovers from the caller's thread; without it no job that has no OutputFile open in
  // this Outbox may. No lock is held.
  std::function<bool(JobId)> is_live;
  // If not empty: a file that must lie in the outbox. A share that is not mounted does not have it.
  std::string marker;
};

// What check_space wants to stay free: 1 % of the file system but at most 100 MB, and 32 inodes.
std::uint64_t space_reserve(std::uint64_t total_bytes);

// Opens a folder that must exist: Environment if it does not or its marker is missing; the outbox
// is never made here, because a missing folder may be a missing mount. Every call of the Outbox
// that writes looks first whether the path still leads to the directory that was opened, and is
// Environment if it does not (unmounted, swapped); then only a new open_local_outbox helps. The
// FileSystem must outlive it; every OutputFile must be gone before the Outbox is. Published files
// have the permissions of any program's output (0666 less the umask).
Result<std::unique_ptr<Outbox>> open_local_outbox(FileSystem& files,
                                                  const std::filesystem::path& path,
                                                  LocalOutboxOptions options = {});

}  // namespace millrace
