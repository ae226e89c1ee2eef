// What `millrace convert` is asked to do, turned into the settings of an engine.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/cli/options.hpp"
#include "agent/ledger/ledger.hpp"
#include "config/load.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct Batch {
  Settings settings;                // one [[folder]] for each place that files were named in
  std::filesystem::path state_dir;  // its own, by destination and options
  // Whether this command names the job's file; its ledger may hold those of others.
  bool asked_for(const JobView& job) const;
  // The file is no source of this batch, wherever it lies.
  void leave_out(const std::filesystem::path& file);
};

// Configuration: a file that is not there, a format or an option that makes no sense. `base` holds
// the converters (of the configuration file, or the embedded one alone).
Result<Batch> plan_batch(const Options& options, Settings base,
                         const std::filesystem::path& state_root);

}  // namespace millrace
