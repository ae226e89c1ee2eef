#include "platform/host/secret_files_posix.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>

#include "platform/base/advice.hpp"
#include "platform/base/descriptor_posix.hpp"
#include "platform/host/host.hpp"
#include "platform/host/secret_name.hpp"
#include "platform/host/user_posix.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

fs::path secret_path(const fs::path& config_dir, std::string_view name) {
  return config_dir / "secrets" / std::string(name);
}

constexpr std::size_t kLineEnd = 2;

// One byte more than `most` tells that there is more; nothing on an error (errno).
std::optional<std::string> read_at_most(int fd, std::size_t most) {
  std::string text(most + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto n =
        again_if_interrupted([&] { return read(fd, text.data() + filled, text.size() - filled); });
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  text.resize(filled);
  return text;
}

Result<void> write_new(const fs::path& path, std::string_view bytes) {
  const Descriptor fd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return system_error("cannot make", path);
  if (write_all(fd.get(), bytes) && fsync(fd.get()) == 0) return {};
  return system_error("cannot write", path);
}

}  // namespace

Result<std::string> read_secret_file(const fs::path& file) {
  const Descriptor fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    return fail(ErrorKind::Configuration,
                "cannot read the secret in " + file.string() + ": " + std::strerror(errno), errno);
  }
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return system_error("cannot look at", file);
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorKind::Configuration, file.string() +
                                              " is no regular file; a secret is kept in "
                                              "a file that only its user may read");
  }
  if ((info.st_mode & 077) != 0) {
    return fail(ErrorKind::Configuration,
                "others may read the secret in " + file.string() + "; run: " + how_to_close(file));
  }
  auto text = read_at_most(fd.get(), kLongestSecret + kLineEnd);
  if (!text) return system_error("cannot read", file);
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty())
    return fail(ErrorKind::Configuration, "the secret in " + file.string() + " is empty");
  if (text->size() > kLongestSecret) return too_long("the secret in " + file.string());
  return std::move(*text);
}

namespace secret_files {

bool exists(const fs::path& config_dir, std::string_view name) {
  return access(secret_path(config_dir, name).c_str(), F_OK) == 0;
}

Result<std::string> read(const fs::path& config_dir, std::string_view name) {
  return read_secret_file(secret_path(config_dir, name));
}

Result<void> store(const fs::path& config_dir, std::string_view name, std::string_view value) {
  if (value.size() > kLongestSecret) return too_long("the secret");
  std::error_code problem;
  fs::create_directories(config_dir, problem);
  const fs::path folder = config_dir / "secrets";
  if (auto made = make_private(folder); !made) return made;
  const fs::path path = secret_path(config_dir, name);
  const fs::path fresh = path.string() + ".new";
  unlink(fresh.c_str());
  Result<void> stored = write_new(fresh, value);
  if (stored && rename(fresh.c_str(), path.c_str()) != 0)
    stored = system_error("cannot write", path);
  if (!stored) {
    unlink(fresh.c_str());
    return stored;
  }
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || fsync(directory.get()) != 0) return system_error("cannot sync", folder);
  return {};
}

Result<void> remove(const fs::path& config_dir, std::string_view name) {
  const fs::path path = secret_path(config_dir, name);
  if (unlink(path.c_str()) == 0) return {};
  if (errno == ENOENT) return fail(ErrorKind::Vanished, path.string() + " is not there");
  return system_error("cannot remove", path);
}

std::unexpected<Error> none(std::string_view name) {
  return fail(ErrorKind::Configuration, "there is no secret `" + std::string(name) + "`");
}

std::unexpected<Error> none_to_read(std::string_view name) {
  return fail(ErrorKind::Configuration, "there is no secret `" + std::string(name) +
                                            "`; run: millrace secret set " + std::string(name));
}

}  // namespace secret_files
}  // namespace millrace
