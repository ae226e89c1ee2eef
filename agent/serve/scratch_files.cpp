#include "agent/serve/scratch_files.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "platform/base/native_path.hpp"

namespace millrace::serve {
namespace {

constexpr std::array<std::string_view, 4> kOurs = {"body-", "in-", "out-", "worker-"};

bool is_ours(const std::string& name) {
  for (const std::string_view prefix : kOurs) {
    if (name.starts_with(prefix) && name.size() > prefix.size() &&
        name.find_first_not_of("0123456789", prefix.size()) == std::string::npos)
      return true;
  }
  return false;
}

}  // namespace

ScratchFile::~ScratchFile() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Result<ScratchWriter> ScratchWriter::create(const std::filesystem::path& path) {
  ScratchWriter writer;
  auto file = create_private_file(path);
  if (!file) {
    return fail(ErrorKind::Environment, "cannot write to the scratch folder", file.error().os_code);
  }
  writer.file_ = std::move(*file);
  return writer;
}

Result<void> ScratchWriter::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size()) return {};
  return fail(ErrorKind::Environment, "the scratch folder takes no more bytes", errno);
}

Result<void> ScratchWriter::close() {
  if (std::fclose(file_.release()) == 0) return {};
  return fail(ErrorKind::Environment, "the scratch folder takes no more bytes", errno);
}

Result<std::unique_ptr<ScratchFolder>> ScratchFolder::open(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error)
    return fail(ErrorKind::Environment,
                "scratch folder " + path_text(path) + ": " + error.message(), error.value());
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator at(path, error); at != end; at.increment(error)) {
    std::error_code ignored;
    if (is_ours(path_text(at->path().filename()))) std::filesystem::remove_all(at->path(), ignored);
  }
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(path));
}

std::shared_ptr<ScratchFile> ScratchFolder::name(std::string_view kind) {
  return std::make_shared<ScratchFile>(path_ / (std::string(kind) + "-" + std::to_string(++next_)));
}

}  // namespace millrace::serve
