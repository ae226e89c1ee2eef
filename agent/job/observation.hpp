// What the watch stage tells the settle stage, and what settle asks back. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/job/candidate.hpp"

namespace millrace {

// What the file looked like. Two equal stamps mean: nothing was seen to change in between.
struct Stamp {
  std::uint64_t size = 0;     // bytes
  std::int64_t mtime_ns = 0;  // since 1970, as the file system tells it; may lie
  std::int64_t changed_ns =
      0;                      // ctime where there is one (never set back by unzip or rsync), else 0
  std::uint64_t file_id = 0;  // inode or file index; 0 where it is not stable
  bool operator==(const Stamp&) const = default;
};

// Why a name is looked at, strongest first.
enum class Evidence {
  Moved,    // renamed or linked into place: whole by the writer's own act
  Closed,   // the last writer closed it
  Written,  // created or written to, not yet closed
  Found,    // a scan or a poll saw it; nothing is known about writers
};

// How a root tells of changes; decides how long quiet has to last.
enum class RootNature {
  LocalEvents,  // events arrive and a lease test works
  LocalPolled,  // local, but without events (watch limit, root on a plain poll)
  Remote,       // network share or FUSE: polled, attribute caches may lie for seconds
};

struct Observation {
  std::size_t root = 0;  // index of the root, given by the pipeline
  Name name;
  Stamp stamp;
  Evidence why = Evidence::Found;
  // Age of the change time by the file system's own clock when the stamp was taken; negative if
  // the clock runs ahead. In nanoseconds.
  std::int64_t change_age_ns = 0;
  bool gone = false;  // the name is no longer there (stamp is empty then)
};

enum class WriterTest {
  None,
  Open,
  Unknown
};  // nobody has it open for writing; somebody; cannot say
enum class EndMark {
  Present,
  Missing,
  NotExpected
};  // of the type that the name or the first bytes tell

// Settle asks for a closer look (on the root's own thread); the answer carries a fresh stamp.
struct ProbeRequest {
  std::size_t root = 0;
  Name name;
};
struct ProbeAnswer {
  std::size_t root = 0;
  Name name;
  bool gone = false;
  Stamp stamp;
  WriterTest writer = WriterTest::Unknown;
  EndMark end_mark = EndMark::NotExpected;
  bool marker_present = true;  // false only if the folder has a ready_marker and it is not there
  std::string version;         // Candidate::version for exactly this stamp
  bool placeholder = false;    // its bytes are not on this machine
  std::string refusal;         // not empty: cannot be read (permission, lock), in a person's words
};

}  // namespace millrace
