// How far a running `millrace fetch` is, for `millrace status` in another process: a small file
// beside its ledger, written anew each second, which counts while the lock of that folder is held.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/download/download_run.hpp"
#include "platform/base/clock.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

// One thread. What cannot be written is not told; a download does not fail for it.
class FetchStatus {
 public:
  // In `state_dir`, which is locked by us. `list` and `into` are how people know the run.
  FetchStatus(const std::filesystem::path& state_dir, std::string list, std::string into,
              TimePoint began);
  ~FetchStatus();  // removes the file
  FetchStatus(const FetchStatus&) = delete;
  FetchStatus& operator=(const FetchStatus&) = delete;

  void show(const DownloadTally& tally, TimePoint now);  // often; writes once a second

 private:
  std::unique_ptr<Directory> folder_;  // null: not to be opened
  const std::string list_, into_;
  const TimePoint began_;
  TimePoint next_;
};

// Of every fetch that runs with this state folder: an array of
// {list, into, fetched, skipped, failed, waiting, whole_list, bytes, seconds}.
nlohmann::json running_fetches(const std::filesystem::path& state_root);

}  // namespace millrace
