// A closer look at one file, for the settle stage.
#pragma once

#include "agent/job/observation.hpp"
#include "agent/watch/name_filter.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

// Tests for writers, the end mark and the ready marker, then takes the stamp: whatever changed
// during the tests shows in it. `gone` is true if no regular file is there. Blocks on the disk.
ProbeAnswer probe(Directory& directory, const NameFilter& filter, FileSystemNature nature,
                  const ProbeRequest& request);

}  // namespace millrace
