#include "agent/render/input.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <span>

#include "platform/base/native_path.hpp"
#include "platform/fs/file_system.hpp"

namespace millrace::render {
namespace {

std::unexpected<Refused> refuse(Code code, std::string message) {
  return std::unexpected(Refused{code, std::move(message)});
}

std::unexpected<Refused> refuse(const Error& error) {
  return refuse(Code::Internal, error.kind == ErrorKind::Input ? "input is not a regular file"
                                                               : "input cannot be opened");
}

}  // namespace

std::expected<const Format*, Refused> look_at_input(const std::string& path) {
  const std::filesystem::path where(path);
  const auto folder = real_file_system().open_directory(where.parent_path());
  if (!folder) return refuse(folder.error());
  const auto file = (*folder)->open(path_text(where.filename()));
  if (!file) return refuse(file.error());
  std::array<char, kSniffBytes> head{};
  const auto got = (*file)->read_at(0, std::as_writable_bytes(std::span(head)));
  if (!got) return refuse(Code::Internal, "input cannot be read");
  if (*got == 0) return refuse(Code::BrokenInput, "input is empty");
  return sniff({head.data(), *got});
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.tellg();
  if (!file || size <= 0) return {};
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(bytes.data(), size);
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace millrace::render
