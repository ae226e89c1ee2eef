#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "platform/process/child_posix.hpp"

namespace millrace::process {
namespace {

// A pipe has no MSG_NOSIGNAL: the signal is blocked for this thread, and one that the write raised
// is taken out again before the old mask returns.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &old_);
  }
  ~WithoutSigpipe() {
    if (!was_pending_) {
      const timespec none{};
      while (::sigtimedwait(&sigpipe_, nullptr, &none) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t sigpipe_{};
  sigset_t old_{};
  bool was_pending_ = false;
};

}  // namespace

ssize_t write_without_signal(int fd, std::string_view bytes) {
  int code = 0;
  ssize_t wrote = 0;
  {
    const WithoutSigpipe guard;  // its end changes errno
    wrote = ::write(fd, bytes.data(), bytes.size());
    code = errno;
  }
  errno = code;
  return wrote;
}

}  // namespace millrace::process
