// The ledger in one SQLite file.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "agent/ledger/ledger.hpp"

namespace millrace {

struct LedgerOptions {
  // On a local file system: WAL needs shared memory and working locks. The caller refuses a network
  // file system before it calls. The folder must exist.
  std::filesystem::path path;
  WallTime now;  // names a damaged file that is moved aside, and ends what a crash left open
  std::chrono::milliseconds busy_timeout{5000};  // how long another program may hold the file
};

// Checks the file (within a second), moves a damaged one aside and makes a new one, migrates an
// older schema. Jobs that a crash left Converting wait again; one that three runs in a row died of
// is Failed. Configuration: a newer schema. Environment: anything else. Blocks.
Result<std::unique_ptr<Ledger>> open_ledger(const LedgerOptions& options);

// Environment if there is no ledger at this path. Each call of the reader is given up after
// `time_box` (Environment), so that no reader keeps the WAL from shrinking.
Result<std::unique_ptr<LedgerReader>> open_ledger_reader(
    const std::filesystem::path& path,
    std::chrono::milliseconds time_box = std::chrono::seconds{5});

}  // namespace millrace
