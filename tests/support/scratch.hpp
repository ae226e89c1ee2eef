// A folder of its own for every test, removed at its end.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace millrace::test {

class Scratch {
 public:
  Scratch();  // beneath TMPDIR
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path);

// Waits for a state, looking every few milliseconds; false after `deadline`. The only way in which
// a test waits.
bool eventually(const std::function<bool()>& state,
                std::chrono::milliseconds deadline = std::chrono::seconds{20});

}  // namespace millrace::test
