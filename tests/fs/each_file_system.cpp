#include "tests/fs/each_file_system.hpp"

#include <algorithm>

#include "platform/fs/small_file.hpp"
#include "tests/support/strangers.hpp"

namespace millrace::test {

bool AnyFileSystem::plant_link(const std::string& name, const std::string& target, LinkTo to) {
  if (is_real()) return test::plant_link(root() / name, target, to);
  memory_.plant(root() / name, FileType::Symlink);
  return true;
}

bool AnyFileSystem::plant_fifo(const std::string& name) {
  if (is_real()) return test::plant_fifo(root() / name);
  memory_.plant(root() / name, FileType::Other);
  return true;
}

void AnyFileSystem::swap_root() {
  if (is_real()) {
    const std::filesystem::path away = root().native() + std::filesystem::path(".away").native();
    std::filesystem::rename(root(), away);
    std::filesystem::create_directory(root());
    remove_tree(away);
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
