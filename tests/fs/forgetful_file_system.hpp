// A file system in memory that forgets what was not synced, after LevelDB's fault-injection Env
// (util/fault_injection_test.cc there): for tests of what a power cut leaves behind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "platform/fs/file_system.hpp"
#include "tests/support/power.hpp"

namespace millrace::test {

// What becomes of unsynced things when the power goes. A disk may keep any part of them, in any
// order, so tests try them all.
enum class Unsynced { Lost, Half, Kept };  // Half: of a file's new bytes; a name is lost
struct Cut {
  Unsynced names = Unsynced::Lost;
  Unsynced bytes = Unsynced::Lost;
};

enum class Happens { No, Yes };  // whether a call that reports an error did its work all the same

// Thread-safe. Directories and files from before a cut are dead: every call on them fails.
class ForgetfulFileSystem final : public FileSystem {
 public:
  ForgetfulFileSystem();
  ~ForgetfulFileSystem() override;

  Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& path) override;
  Result<std::unique_ptr<Directory>> make_directory(const std::filesystem::path& path) override;

  // State-changing calls so far: create, write, sync, close, publish, replace, remove, each new
  // directory, sync_directory.
  std::uint64_t operations() const;
  // The n-th of them from now (1 is the next) fails with this code.
  void fail_at(std::uint64_t n, int os_code, Happens happens = Happens::No);
  // The n-th of them from now does not happen, nor does anything after it, until cut_power().
  void lose_power_at(std::uint64_t n);
  // Changes are counted by this one too, and end when it is off. It outlives the file system.
  void draw_from(Power& power);
  // From now on sync_directory() says that it was done and does nothing: for controls.
  void lie_about_directories();
  // Forgets, and is on again. What was there right after construction is durable.
  void cut_power(Cut cut);

  void set_capacity(std::uint64_t bytes);                        // ENOSPC beyond
  void plant(const std::filesystem::path& path, FileType type);  // a link or FIFO of a stranger
  void move_away(const std::filesystem::path& path);             // takes a directory off its path

  struct State;  // shared with every open directory and file, which may outlive a cut

 private:
  std::shared_ptr<State> state_;
};

}  // namespace millrace::test
