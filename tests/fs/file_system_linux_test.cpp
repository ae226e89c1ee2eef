// What only the real file system can show.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "platform/fs/beneath_posix.hpp"
#include "platform/fs/os_error.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/privilege_linux.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

// A small file system of its own.
class SmallTmpfs {
 public:
  explicit SmallTmpfs(const char* options) {
    require_root("mounts a tmpfs");
    REQUIRE(::mount("tmpfs", scratch_.path().c_str(), "tmpfs", 0, options) == 0);
  }
  ~SmallTmpfs() { unmount(); }
  void unmount() { ::umount2(scratch_.path().c_str(), MNT_DETACH); }
  const std::filesystem::path& path() const { return scratch_.path(); }

 private:
  Scratch scratch_;
};

// bindfs refuses RENAME_NOREPLACE, has no leases that see writers behind it, and may forget inodes.
class Bindfs {
 public:
  Bindfs() {
    const std::string command = "bindfs " + behind_.path().string() + " " + path().string();
    require_root("mounts by bindfs");
    INFO("this test needs bindfs and /dev/fuse");
    REQUIRE(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
  }
  ~Bindfs() { ::umount2(path().c_str(), MNT_DETACH); }
  const std::filesystem::path& path() const { return mount_.path(); }

 private:
  Scratch behind_, mount_;
};

}  // namespace

TEST_CASE("both resolvers agree, with and without openat2 [K1 K4]") {
  const auto resolver = GENERATE(Resolver::Kernel, Resolver::Walk);
  Scratch scratch;
  std::filesystem::create_directories(scratch / "a/b");
  std::filesystem::create_directory_symlink("a", scratch / "link");
  std::filesystem::create_directory_symlink("/etc", scratch / "a/out");
  write_file(scratch / "file", "");
  const Descriptor root(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY));
  const auto kind_of = [&](const std::string& name) {
    return open_directory_beneath(root.get(), name, DirectoryUse::Read, resolver).error().kind;
  };
  CHECK(open_directory_beneath(root.get(), "a/b", DirectoryUse::Read, resolver));
  CHECK(open_directory_beneath(root.get(), "", DirectoryUse::Read, resolver));
  CHECK(kind_of("link") == ErrorKind::Input);
  CHECK(kind_of("link/b") == ErrorKind::Input);
  CHECK(kind_of("a/out") == ErrorKind::Input);
  CHECK(kind_of("a/../..") == ErrorKind::Input);
  CHECK(kind_of("/etc") == ErrorKind::Input);
  CHECK(kind_of("none/b") == ErrorKind::Vanished);
  CHECK(kind_of("file/b") == ErrorKind::Vanished);
}

TEST_CASE("a name that keeps turning into a link is never followed [K1 K4]") {
  Scratch scratch, outside;
  write_file(outside / "x", "secret");
  std::filesystem::create_directory(scratch / "real");
  write_file(scratch / "real/x", "public");
  auto box = real_file_system().open_directory(scratch.path()).value();
  std::jthread swapper([&](std::stop_token stop) {
    std::error_code ignored;
    while (!stop.stop_requested()) {
      std::filesystem::rename(scratch / "real", scratch / "aside", ignored);
      std::filesystem::create_directory_symlink(outside.path(), scratch / "real", ignored);
      std::filesystem::remove(scratch / "real", ignored);
      std::filesystem::rename(scratch / "aside", scratch / "real", ignored);
    }
  });
  int read = 0;
  // The folder is itself for a small part of the time only, the smaller the busier the machine is.
  for (int i = 0; i < 3000 || (read == 0 && i < 300'000); ++i) {
    auto file = box->open("real/x");
    if (!file) continue;
    std::byte first{};
    REQUIRE((*file)->read_at(0, std::span(&first, 1)).value() == 1);
    REQUIRE(static_cast<char>(first) == 'p');
    ++read;
  }
  CHECK(read > 0);
}

TEST_CASE("a writer that comes during the lease test does not end the process [A1]") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  auto box = real_file_system().open_directory(scratch.path()).value();
  auto file = box->open("a").value();
  std::atomic<int> opened = 0;
  std::jthread writer([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      const Descriptor fd(::open((scratch / "a").c_str(), O_WRONLY));
      ++opened;
    }
  });
  REQUIRE(eventually([&] { return opened > 0; }));
  int none = 0;
  for (int i = 0; i < 20'000; ++i) none += file->writer() == WriterPresence::None;
  CHECK(none > 0);
}

TEST_CASE("a refused lease is an ordinary answer [A1]") {
  require_root("makes a file of somebody else's");
  Scratch scratch;
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0755));
  write_file(scratch / "a", "x");
  CHECK(as_nobody([&] {
          auto box = real_file_system().open_directory(scratch.path()).value();
          auto file = box->open("a").value();
          return file->writer() == WriterPresence::Unknown ? 0 : 1;
        }) == 0);
}

TEST_CASE("files are made for their owner or for everybody") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  const auto mode_of = [&](const char* name, Access access) {
    box->create(name, access).value()->close().value();
    struct stat status{};
    ::stat((scratch / name).c_str(), &status);
    return status.st_mode & 0777;
  };
  const mode_t umask_now = ::umask(0);
  ::umask(umask_now);
  CHECK(mode_of("private", Access::OwnerOnly) == (0600 & ~umask_now));
  CHECK(mode_of("shared", Access::Shared) == (0666 & ~umask_now));
}

TEST_CASE("no permission is Environment, and is told without a try [F2]") {
  Scratch scratch;
  write_file(scratch / "closed", "x");
  std::filesystem::permissions(scratch / "closed", std::filesystem::perms(0));
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0555));
  CHECK(as_nobody([&] {
          auto box = real_file_system().open_directory(scratch.path()).value();
          if (box->create("a").error().kind != ErrorKind::Environment) return 1;
          if (box->open("closed").error().os_code != EACCES) return 2;
          return box->takes_files("").value() ? 3 : 0;
        }) == 0);
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0755));
}

TEST_CASE("a full disk, no inodes and a read-only mount are Environment [F1 F2]") {
  SmallTmpfs small("size=64k,nr_inodes=4");
  auto box = real_file_system().open_directory(small.path()).value();
  const std::string much(100'000, 'x');
  auto file = box->create("a").value();
  CHECK(file->write(std::as_bytes(std::span(much))).error().os_code == ENOSPC);
  file->close().value();
  box->create("b").value();
  box->create("c").value();
  CHECK(box->space().value().free_inodes == 0);
  CHECK(box->create("d").error().kind == ErrorKind::Environment);
  REQUIRE(::mount("tmpfs", small.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0);
  CHECK(box->create("e").error().os_code == EROFS);
  CHECK(box->create("e").error().kind == ErrorKind::Environment);
  CHECK_FALSE(box->takes_files("").value());
}

TEST_CASE("a mount that goes away is noticed, and its bare folder is of another kind [C4 B6]") {
  SmallTmpfs mounted("");
  auto box = real_file_system().open_directory(mounted.path()).value();
  CHECK(box->still_there().value());
  mounted.unmount();
  CHECK_FALSE(box->still_there().value());
  auto bare = real_file_system().open_directory(mounted.path()).value();
  CHECK(bare->mount_kind() != box->mount_kind());
}

TEST_CASE("a file system that refuses RENAME_NOREPLACE is published to all the same [F6]") {
  Bindfs bindfs;
  auto box = real_file_system().open_directory(bindfs.path()).value();
  put(*box, "from", "new");
  put(*box, "taken", "old");
  CHECK(box->publish("from", "taken").error().kind == ErrorKind::Exists);
  CHECK(box->publish("from", "to"));
  CHECK(names_in(*box) == std::vector<std::string>{"taken", "to"});
  CHECK(get(*box, "taken") == "old");
  CHECK(box->info("to").value().file_id == 0);
  CHECK(box->open("to").value()->writer() == WriterPresence::Unknown);
  CHECK(box->sync_directory(""));
}

TEST_CASE("error codes have kinds") {
  CHECK(error_kind_of(ENOENT) == ErrorKind::Vanished);
  CHECK(error_kind_of(EEXIST) == ErrorKind::Exists);
  CHECK(error_kind_of(ELOOP) == ErrorKind::Input);
  CHECK(error_kind_of(ENAMETOOLONG) == ErrorKind::Input);
  for (const int code : {ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EIO, ENOTCONN, ESTALE, EHOSTDOWN,
                         EMFILE, EFBIG, EBUSY, ETIMEDOUT, EXDEV})
    CHECK(error_kind_of(code) == ErrorKind::Environment);
}

TEST_CASE("a name of 256 bytes is refused as input [F9]") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  CHECK(box->create(std::string(256, 'x')).error().kind == ErrorKind::Input);
}
