// What a source offers: a name, and which version of it. No path, no inode: a bucket fits as well.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

// Relative to its source or outbox, `/` between parts, the system's own bytes (UTF-8 or not).
using Name = std::string;

struct Candidate {
  std::string folder;      // the [[folder]] it came in through, by its name
  Name name;               // beneath the inbox
  std::uint64_t size = 0;  // bytes
  // Opaque: equal if and only if the source says that it is the same version of the file.
  std::string version;
};

}  // namespace millrace
