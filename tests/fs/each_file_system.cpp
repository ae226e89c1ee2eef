#include "tests/fs/each_file_system.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <stdexcept>

#include "platform/fs/small_file.hpp"

namespace millrace::test {

void AnyFileSystem::plant_link(const std::string& name, const std::filesystem::path& target) {
  if (is_real())
    std::filesystem::create_symlink(target, root() / name);
  else
    memory_.plant(root() / name, FileType::Symlink);
}

void AnyFileSystem::plant_fifo(const std::string& name) {
  if (!is_real()) return memory_.plant(root() / name, FileType::Other);
  if (::mkfifo((root() / name).c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
}

void AnyFileSystem::swap_root() {
  if (is_real()) {
    std::filesystem::rename(root(), root().string() + ".away");
    std::filesystem::create_directory(root());
    std::filesystem::remove_all(root().string() + ".away");
  } else {
    memory_.move_away(root());
    memory_.make_directory(root()).value();
  }
}

void put(Directory& directory, const std::string& name, std::string_view content) {
  auto file = directory.create(name).value();
  file->write(std::as_bytes(std::span(content))).value();
  file->sync().value();
  file->close().value();
}

std::string get(Directory& directory, const std::string& name) {
  return read_small_file(directory, name, 1 << 20).value();
}

std::vector<std::string> names_in(Directory& directory, const std::string& folder) {
  std::vector<std::string> names;
  directory
      .list(folder,
            [&](const Directory::Entry& entry) {
              names.push_back(entry.name);
              return Visit::Continue;
            })
      .value();
  std::ranges::sort(names);
  return names;
}

}  // namespace millrace::test
