#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>

#include "platform/base/descriptor_posix.hpp"
#include "platform/host/host.hpp"
#include "platform/host/user_posix.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLockName = "lock";
// A command that changes the ledger of no agent holds the lock for so long at most.
constexpr std::chrono::milliseconds kHeldForAMoment{1000};
constexpr std::chrono::milliseconds kAskAgain{10};

// A lock of the open file (F_OFD_SETLK, fcntl(2)): it ends with the process however that ends.
// Unlike flock(2) it can be asked for without being taken, so a command that asks stops nobody's
// start.
struct flock whole_file(short type) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;  // from 0, and a length of 0 is to the end
}

class OpenFileLock final : public InstanceLock {
 public:
  explicit OpenFileLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

std::string holder_of(int fd) {
  char text[32] = {};
  const ssize_t n = pread(fd, text, sizeof text - 1, 0);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : "unknown";
}

}  // namespace

Result<std::unique_ptr<InstanceLock>> lock_instance(const fs::path& state_dir) {
  const fs::path path = state_dir / kLockName;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error("cannot open", path);
  auto lock = std::make_unique<OpenFileLock>(fd);
  const auto give_up = std::chrono::steady_clock::now() + kHeldForAMoment;
  struct flock wanted = whole_file(F_WRLCK);
  while (fcntl(fd, F_OFD_SETLK, &wanted) != 0) {
    if (errno != EAGAIN && errno != EACCES) return system_error("cannot lock", path);
    if (std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(kAskAgain);
      continue;
    }
    return fail(ErrorKind::Exists, "another instance runs with the state folder " +
                                       state_dir.string() + " (process " + holder_of(fd) + ")");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return system_error("cannot write", path);
  }
  return lock;
}

bool instance_runs(const fs::path& state_dir) {
  const Descriptor fd(open((state_dir / kLockName).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return false;
  struct flock in_the_way = whole_file(F_RDLCK);
  return fcntl(fd.get(), F_OFD_GETLK, &in_the_way) == 0 && in_the_way.l_type != F_UNLCK;
}

}  // namespace millrace
