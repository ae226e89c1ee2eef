#include "platform/fs/small_file.hpp"

#include <span>

#include "platform/fs/atomic_file.hpp"

namespace millrace {

Result<std::string> read_small_file(Directory& directory, const std::string& name,
                                    std::uint64_t limit) {
  auto file = directory.open(name);
  if (!file) return std::unexpected(file.error());
  // One byte more than allowed: the size may be wrong (/proc) or grow while it is read.
  std::string content(static_cast<std::size_t>(limit) + 1, '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    auto got = (*file)->read_at(filled, std::as_writable_bytes(std::span(content)).subspan(filled));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    filled += *got;
  }
  if (filled > limit)
    return fail(ErrorKind::Input, name + " holds more than " + std::to_string(limit) + " bytes");
  content.resize(filled);
  return content;
}

Result<void> write_small_file(Directory& directory, const std::string& name,
                              std::string_view content, Access access) {
  auto file = AtomicFile::begin(directory, name, "small", access);
  if (!file) return std::unexpected(file.error());
  if (auto wrote = (*file)->write(std::as_bytes(std::span(content))); !wrote) return wrote;
  if (auto finished = (*file)->finish(); !finished) return finished;
  return (*file)->replace();
}

}  // namespace millrace
