// A file that is written aside and published whole or not at all.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "platform/fs/file_system.hpp"

namespace millrace {

// What is on disk when finish() and publish() return.
enum class Durability {
  Full,               // bytes and name
  DirectoryByCaller,  // the bytes; the caller syncs the directory, once for many files
  None,               // the system's own time
};

// begin -> write... -> finish -> publish or replace. Leaving it earlier removes the temporary,
// unless keep() was called. The Directory must outlive it. One thread at a time; calls may block.
class AtomicFile {
 public:
  // Makes `.millrace-<owner>-<16 hex>.tmp` beside `final_name`. `owner` is lower-case letters,
  // digits and `-`, at most 64 bytes; it says who may clean up. Never Exists.
  static Result<std::unique_ptr<AtomicFile>> begin(Directory& directory, std::string final_name,
                                                   std::string_view owner, Access access,
                                                   Durability durability = Durability::Full);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& temporary_name() const { return temporary_; }
  const std::string& final_name() const { return final_; }

  // An error ends the file: every later call fails as well.
  Result<void> write(std::span<const std::byte> bytes);
  // Syncs (as durability says) and closes. After an error these bytes are lost and nothing is tried
  // on the same file again; the whole content may be written once more to a new AtomicFile.
  Result<void> finish();
  // Renames without replacing (Exists if the name is taken; may be called again) or over whatever
  // lies there, then syncs the directory. Only after finish().
  Result<void> publish();
  Result<void> replace();
  void keep() { removes_ = false; }  // leaves the temporary where it is

 private:
  enum class State { Writing, Finished, Published, Failed };
  AtomicFile(Directory& directory, std::string final_name, std::string temporary,
             std::unique_ptr<NewFile> file, Durability durability);
  Result<void> end_with(Error error);
  Result<void> expect(State state) const;
  Result<void> after_rename(Result<void> renamed);

  Directory& directory_;
  const std::string final_;
  const std::string temporary_;
  const Durability durability_;
  std::unique_ptr<NewFile> file_;
  State state_ = State::Writing;
  bool removes_ = true;
};

// The owner in the name of a temporary that an AtomicFile made; nothing for every other name.
std::optional<std::string> temporary_owner(std::string_view leaf);

}  // namespace millrace
