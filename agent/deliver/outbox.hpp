// Where results go: a folder or a bucket. Only an Outbox finds, begins and commits a
// name. A name in it is always a complete, checked file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/job/candidate.hpp"
#include "agent/job/job.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct OutputIdentity {  // what lies at a name
  std::uint64_t size = 0;
  std::string version;  // opaque; changes when anybody writes to it
  bool operator==(const OutputIdentity&) const = default;
};

struct Leftovers {  // temporary files that nobody owns any more
  int removed = 0;
  int left = 0;  // they cannot be removed
  bool operator==(const Leftovers&) const = default;
};

// One result being written beside its final name. Leaving it without commit() or keep() removes
// the temporary. One thread at a time; calls may block.
class OutputFile {
 public:
  virtual ~OutputFile() = default;
  virtual const Name& temporary_name() const = 0;
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
  // Flushes, syncs and closes; every error counts. After it the bytes survive a power cut under the
  // temporary name.
  virtual Result<void> finish() = 0;
  // Publishes durably under the final name: renames without replacing (Exists if the name is
  // taken), or, if `replaces` is given, over exactly that file (Exists if something else lies there
  // by now). Syncs the directory. After a failure both names are looked at before it is believed.
  virtual Result<OutputIdentity> commit(const std::optional<OutputIdentity>& replaces) = 0;
  // Leaves the finished temporary where it is, for Outbox::adopt later.
  virtual void keep() = 0;
};

// Called from any worker thread; calls may block.
class Outbox {
 public:
  virtual ~Outbox() = default;
  virtual std::string id() const = 0;  // stable over restarts; what names are reserved in
  // What lies at the name, if anything does; compared as the file system compares.
  virtual Result<std::optional<OutputIdentity>> find(const Name& name) = 0;
  // Environment if fewer than `bytes` plus a reserve are free, or if the outbox is not there or not
  // writable; asked before anything is paid for.
  virtual Result<void> check_space(std::uint64_t bytes) = 0;
  // The same for the folder of this name alone, or the nearest above it that is there: Environment
  // if it takes no files, Exists if something that is no folder lies where it must be. Makes
  // nothing.
  virtual Result<void> check_place(const Name& final_name) = 0;
  // Makes missing subfolders and an exclusive temporary file beside the final name.
  virtual Result<std::unique_ptr<OutputFile>> begin(const Name& final_name, JobId job) = 0;
  // Recovery of a delivery that was cut off: if the final name or the temporary holds exactly
  // these bytes, publishes it (if need be) and returns its identity; nothing if neither does, and
  // then the temporary is removed.
  virtual Result<std::optional<OutputIdentity>> adopt(
      const Name& temporary_name, const Name& final_name, const std::string& sha256,
      std::uint64_t size, const std::optional<OutputIdentity>& replaces) = 0;
  // Removes temporaries of ours that no live job owns, in the directory of `name` only, or
  // everywhere if `name` is empty; for good, whatever happens to the power.
  virtual Result<Leftovers> remove_leftovers(const Name& name) = 0;
  virtual std::string describe(const Name& name) const = 0;  // full path, for people
};

}  // namespace millrace
