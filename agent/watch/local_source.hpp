// Candidates from a local folder.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/job/source.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace {

struct LocalSourceSettings {
  std::string folder;  // name of the [[folder]]
  std::filesystem::path inbox;
  std::filesystem::path archive;     // made when the first file goes there
  std::filesystem::path quarantine;  // likewise
  // What temporaries on the shelves carry in their names; only those are ever removed.
  std::string owner = "shelf";
};

// Opens nothing yet: a share that is away makes the calls fail with Environment until it is back.
//
// Where everybody may write into the inbox, a file with a second hard link is refused with Input
// (and so goes where failed files go): whoever linked it may not be allowed to read it, but the
// agent is. The owner does not matter, since the agent's own secrets would be the ones to link. The
// moment between link(2) and unlink(2) of an honest writer ends with another version, which is
// taken.
std::unique_ptr<Source> make_local_source(LocalSourceSettings settings, FileSystem& file_system);

}  // namespace millrace
