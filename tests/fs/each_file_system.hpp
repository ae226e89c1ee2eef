// One suite for the real file system and the forgetful one: a fake that no contract test covers is
// a lie.
#pragma once

#include <filesystem>
#include <memory>

#include "platform/fs/file_system.hpp"
#include "tests/fs/forgetful_file_system.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace::test {

enum class Which { Real, Forgetful };

// A folder on one of them, and the strangers' acts that tests need.
class AnyFileSystem {
 public:
  explicit AnyFileSystem(Which which) : which_(which) {
    if (which_ == Which::Forgetful) memory_.make_directory(root()).value();
  }

  FileSystem& files() {
    if (which_ == Which::Real) return real_file_system();
    return memory_;
  }
  std::filesystem::path root() const {
    return which_ == Which::Real ? scratch_.path() : std::filesystem::path("/box");
  }
  std::unique_ptr<Directory> open() { return files().open_directory(root()).value(); }
  ForgetfulFileSystem& memory() { return memory_; }
  bool is_real() const { return which_ == Which::Real; }

  // False where the system has no such thing, or does not show it.
  [[nodiscard]] bool plant_link(const std::string& name, const std::string& target, LinkTo to);
  [[nodiscard]] bool plant_fifo(const std::string& name);
  void swap_root();  // another directory lies at the path from now on

 private:
  const Which which_;
  Scratch scratch_;
  ForgetfulFileSystem memory_;
};

// Writes a whole file through the interface; synced if asked, published under `name` directly.
void put(Directory& directory, const std::string& name, std::string_view content);
std::string get(Directory& directory, const std::string& name);
std::vector<std::string> names_in(Directory& directory, const std::string& folder = "");  // sorted

}  // namespace millrace::test
