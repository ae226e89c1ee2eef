#include "platform/fs/publish_posix.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "platform/base/descriptor_posix.hpp"
#include "platform/fs/crash_point.hpp"
#include "platform/fs/files_posix.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

struct NodeId {
  dev_t device;
  ino_t inode;
  bool operator==(const NodeId&) const = default;
};

std::optional<NodeId> node_at(int dir, const char* name) {
  struct stat status{};
  if (::fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return NodeId{status.st_dev, status.st_ino};
}

// Both ends of one rename, and what lay at `from` before it.
struct Move {
  int from_dir;
  const char* from;
  int to_dir;
  const char* to;
  const RenameCalls& calls;
  std::optional<NodeId> moved;

  bool arrived() const { return moved && node_at(to_dir, to) == moved; }
  bool left() const { return node_at(from_dir, from) != moved; }
};

// A file system that does not know a call says one of these.
bool is_refusal(int code) {
  return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP || code == EPERM ||
         code == EMLINK || code == ENOTTY;
}

Result<void> drop_second_link(const Move& move) {
  crash_point();
  if (move.calls.unlink(move.from_dir, move.from) == 0 || move.left()) return {};
  const int why = errno;
  // Nobody may remove the old name (a sticky folder): then the new one must not stay either.
  if (why == EPERM || why == EACCES) move.calls.unlink(move.to_dir, move.to);
  return os_failure(why, move.from);
}

// Known by its text, so that a crash between claim and rename leaves nothing that anybody could
// take for a result, and nothing of anybody else's is ever renamed over. A crash between making
// the claim and writing it leaves an empty file that stays: it cannot be told from one that a
// person put there, and no call that such a file system knows puts a written one at a free name
// (a rename would replace what came there meanwhile). The job then ends as "the output exists".
std::string claim_text(const Move& move) {
  return std::string("claimed for ") + move.from + " by millrace\n";
}

bool is_our_claim(const Move& move) {
  const Descriptor file(
      ::openat(move.to_dir, move.to, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const std::string expected = claim_text(move);
  if (status.st_size != static_cast<off_t>(expected.size())) return false;
  std::string found(expected.size(), '\0');
  return ::pread(file.get(), found.data(), found.size(), 0) == static_cast<ssize_t>(found.size()) &&
         found == expected;
}

Result<void> remove_claim(const Move& move, Error why) {
  crash_point();
  move.calls.unlink(move.to_dir, move.to);
  return std::unexpected(std::move(why));
}

Result<void> write_claim(const Move& move) {
  crash_point();
  const Descriptor claim(
      ::openat(move.to_dir, move.to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!claim) return os_failure(errno, move.to);
  const std::string text = claim_text(move);
  crash_point();
  if (write_all(claim.get(), text) && flush_to_disk(claim.get()) == 0) return {};
  return remove_claim(move, os_error(errno, move.to));
}

Result<void> rename_over_claim(const Move& move) {
  crash_point();
  if (move.calls.rename(move.from_dir, move.from, move.to_dir, move.to) == 0) return {};
  const Error error = os_error(errno, move.to);
  if (move.arrived() && move.left()) return {};
  return is_our_claim(move) ? remove_claim(move, error) : std::unexpected(error);
}

Result<void> publish_by_claim(const Move& move) {
  if (auto claimed = write_claim(move); !claimed) return claimed;
  return rename_over_claim(move);
}

Result<void> publish_by_link(const Move& move) {
  crash_point();
  if (move.calls.link(move.from_dir, move.from, move.to_dir, move.to) == 0)
    return drop_second_link(move);
  const int code = errno;
  if (move.arrived()) return drop_second_link(move);
  if (is_refusal(code)) return publish_by_claim(move);
  if (code == EEXIST && is_our_claim(move)) return rename_over_claim(move);
  return os_failure(code, move.to);
}

Result<void> publish_by_rename(const Move& move) {
  crash_point();
  if (move.calls.rename_no_replace(move.from_dir, move.from, move.to_dir, move.to) == 0) return {};
  const int code = errno;
  if (move.arrived()) {
    if (move.left()) return {};
    return drop_second_link(move);  // an earlier publish_by_link was cut off in the middle
  }
  if (is_refusal(code)) return publish_by_link(move);
  if (code == EEXIST && is_our_claim(move)) return rename_over_claim(move);
  return os_failure(code, move.to);
}

}  // namespace

Result<void> publish_at(int from_dir, const char* from, int to_dir, const char* to,
                        const RenameCalls& calls) {
  const Move move{from_dir, from, to_dir, to, calls, node_at(from_dir, from)};
  if (!move.moved) {
    const Error gone = os_error(errno, from);
    return is_our_claim(move) ? remove_claim(move, gone) : std::unexpected(gone);
  }
  return publish_by_rename(move);
}

Result<void> replace_at(int from_dir, const char* from, int to_dir, const char* to,
                        const RenameCalls& calls) {
  const Move move{from_dir, from, to_dir, to, calls, node_at(from_dir, from)};
  if (!move.moved) return os_failure(errno, from);
  crash_point();
  if (calls.rename(from_dir, from, to_dir, to) == 0) return {};
  const int code = errno;
  if (move.arrived() && move.left()) return {};
  return os_failure(code, to);
}

}  // namespace millrace
