// Where candidates come from: a folder or a bucket. Only a Source opens, re-checks,
// archives or deletes a candidate.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/job/byte_source.hpp"
#include "agent/job/candidate.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// A link to a candidate, for somebody else who reads it.
struct SourceLink {
  std::string url;  // a secret for as long as it lives
  // It leads to this version for ever. Else check_unchanged() tells, once it was read, whether it
  // was this one.
  bool names_version = false;
};

// An open candidate. One thread at a time; every call may block on the disk or the share.
class SourceReader : public ByteSource {
 public:
  virtual std::uint64_t size() const = 0;  // bytes, at the time of opening
  // Starts again at the first byte of the same open file.
  virtual Result<void> rewind() = 0;
  // Success: the open file still has the candidate's stamp and the name still leads to it.
  // Changed or Vanished otherwise.
  virtual Result<void> check_unchanged() = 0;

  // Where there are links: a bucket. Changed or Vanished as check_unchanged(); Configuration
  // elsewhere. The link can be read with for `life`, 1 s to 7 days.
  virtual Result<SourceLink> link(std::chrono::seconds) {
    return fail(ErrorKind::Configuration, "files of a folder have no link");
  }
  // Which bytes these are, told without reading them: equal for the same version of the same
  // object, through whichever settings it is reached, and for nothing else. Where there are links.
  virtual std::string content_name() const { return {}; }
};

enum class Shelf { Archive, Quarantine };

// Called from any worker thread; calls may block.
class Source {
 public:
  virtual ~Source() = default;

  // Changed if the name holds another version by now, Vanished if it is gone, Input if it is not a
  // regular file beneath the inbox (link, FIFO, device), Environment if it cannot be read now.
  virtual Result<std::unique_ptr<SourceReader>> open(const Candidate& candidate) = 0;
  // Success if the name still holds exactly this version.
  virtual Result<void> check(const Candidate& candidate) = 0;
  // Deletes this version, and nothing else.
  virtual Result<void> remove(const Candidate& candidate) = 0;
  // Moves this version to the folder's archive or quarantine, durable before it returns; across
  // devices it is copied, synced, compared, then deleted. A taken name gets ` (2)`. With a
  // non-empty `note`, NAME.error.json is written last. Returns where it lies, for people.
  virtual Result<std::string> shelve(const Candidate& candidate, Shelf shelf,
                                     const std::string& note) = 0;
  // For a run that was cut off in shelve() of this version: removes the temporary files that it may
  // have left on the shelf, and writes the note if the version lies there without one. Called
  // before anything else is shelved.
  virtual Result<void> finish_shelving(const Candidate& candidate, Shelf shelf,
                                       const std::string& note) = 0;
  // The full path or URL, for people; not sanitised.
  virtual std::string describe(const Name& name) const = 0;
};

}  // namespace millrace
