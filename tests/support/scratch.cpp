#include "tests/support/scratch.hpp"

#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <thread>

#include "platform/base/native_path.hpp"
#include "tests/support/strangers.hpp"

namespace millrace::test {

Scratch::Scratch() {
  std::random_device random;
  path_ = std::filesystem::temp_directory_path() /
          ("millrace-test-" + std::to_string(random()) + std::to_string(random()));
  std::filesystem::create_directories(path_);
  path_ = std::filesystem::canonical(path_);
}

Scratch::~Scratch() { remove_tree(path_); }

std::filesystem::path Scratch::operator/(std::string_view name) const {
  return path_ / native_path(name);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream out(exact(path), std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path_text(path));
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(exact(path), std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path_text(path));
  return {std::istreambuf_iterator<char>(in), {}};
}

bool eventually(const std::function<bool()>& state, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!state()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

}  // namespace millrace::test
