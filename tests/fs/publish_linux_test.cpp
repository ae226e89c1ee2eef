// The ladder of publishing, on file systems that refuse its steps and on those that lie.
#include "platform/base/descriptor_posix.hpp"
#include "platform/fs/publish_posix.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

template <int kCode>
int refuse(int, const char*, int, const char*) {
  errno = kCode;
  return -1;
}
template <int kCode, auto kCall>
int do_and_lie(int from_dir, const char* from, int to_dir, const char* to) {
  (system_rename_calls().*kCall)(from_dir, from, to_dir, to);
  errno = kCode;
  return -1;
}
int refuse_unlink(int, const char*) {
  errno = EIO;
  return -1;
}
int do_unlink_and_lie(int dir, const char* name) {
  system_rename_calls().unlink(dir, name);
  errno = ENOENT;
  return -1;
}

struct Box {
  Scratch scratch;
  Descriptor fd{::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY)};
  RenameCalls calls = system_rename_calls();

  Result<void> publish() { return publish_at(fd.get(), "from", fd.get(), "to", calls); }
  bool has(std::string_view name) { return std::filesystem::exists(scratch / name); }
  void put(std::string_view name, std::string_view content) { write_file(scratch / name, content); }
  std::string get(std::string_view name) { return read_file(scratch / name); }
};

}  // namespace

TEST_CASE("each step of the ladder publishes, and none replaces [F6]") {
  Box box;
  const int steps_that_refuse = GENERATE(0, 1, 2);
  if (steps_that_refuse >= 1) box.calls.rename_no_replace = refuse<EINVAL>;
  if (steps_that_refuse >= 2) box.calls.link = refuse<EPERM>;
  box.put("from", "new");
  SECTION("a free name") {
    REQUIRE(box.publish());
    CHECK(box.get("to") == "new");
    CHECK_FALSE(box.has("from"));
  }
  SECTION("a taken name") {
    box.put("to", "old");
    CHECK(box.publish().error().kind == ErrorKind::Exists);
    CHECK(box.get("to") == "old");
    CHECK(box.get("from") == "new");
  }
  SECTION("a link as the name [K4]") {
    std::filesystem::create_symlink("elsewhere", box.scratch / "to");
    CHECK(box.publish().error().kind == ErrorKind::Exists);
    CHECK_FALSE(box.has("elsewhere"));
  }
  SECTION("nothing to publish") {
    std::filesystem::remove(box.scratch / "from");
    CHECK(box.publish().error().kind == ErrorKind::Vanished);
  }
}

TEST_CASE("a call that was done although it reports an error is believed by its names [C5]") {
  Box box;
  box.put("from", "new");
  SECTION("rename without replacing") {
    box.calls.rename_no_replace = do_and_lie<EIO, &RenameCalls::rename_no_replace>;
  }
  SECTION("link, sent twice") {
    box.calls.rename_no_replace = refuse<ENOSYS>;
    box.calls.link = do_and_lie<EEXIST, &RenameCalls::link>;
  }
  SECTION("unlink, sent twice") {
    box.calls.rename_no_replace = refuse<ENOSYS>;
    box.calls.unlink = do_unlink_and_lie;
  }
  SECTION("rename over the claim") {
    box.calls.rename_no_replace = refuse<EINVAL>;
    box.calls.link = refuse<EOPNOTSUPP>;
    box.calls.rename = do_and_lie<ENOENT, &RenameCalls::rename>;
  }
  REQUIRE(box.publish());
  CHECK(box.get("to") == "new");
  CHECK_FALSE(box.has("from"));
}

TEST_CASE("publishing goes on where it was cut between link and unlink [G2]") {
  Box box;
  box.put("from", "new");
  box.calls.rename_no_replace = refuse<EINVAL>;
  box.calls.unlink = refuse_unlink;
  CHECK_FALSE(box.publish());
  box.calls = system_rename_calls();
  REQUIRE(box.publish());
  CHECK(box.get("to") == "new");
  CHECK_FALSE(box.has("from"));
}

TEST_CASE("publishing goes on where it was cut between claim and rename [G2]") {
  Box box;
  box.put("from", "new");
  box.put("to", "claimed for from by millrace\n");
  const bool link_works = GENERATE(true, false);
  box.calls.rename_no_replace = refuse<EINVAL>;
  if (!link_works) box.calls.link = refuse<EEXIST>;
  SECTION("the claim is taken over") {
    REQUIRE(box.publish());
    CHECK(box.get("to") == "new");
  }
  SECTION("or removed if there is nothing to publish any more") {
    std::filesystem::remove(box.scratch / "from");
    CHECK(box.publish().error().kind == ErrorKind::Vanished);
    CHECK_FALSE(box.has("to"));
  }
  SECTION("the claim of another temporary is not touched") {
    box.put("to", "claimed for form by millrace\n");
    CHECK(box.publish().error().kind == ErrorKind::Exists);
    CHECK(box.get("from") == "new");
  }
}

TEST_CASE("a claim is withdrawn when the rename over it fails") {
  Box box;
  box.put("from", "new");
  box.calls.rename_no_replace = refuse<EINVAL>;
  box.calls.link = refuse<EPERM>;
  box.calls.rename = refuse<EIO>;
  CHECK(box.publish().error().kind == ErrorKind::Environment);
  CHECK_FALSE(box.has("to"));
  CHECK(box.get("from") == "new");
}

TEST_CASE("a claim that cannot be written whole is withdrawn and says why [F1]") {
  Box box;
  box.put("from", "new");
  box.calls.rename_no_replace = refuse<EINVAL>;
  box.calls.link = refuse<EPERM>;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto usual = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{4, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const auto published = box.publish();
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, usual);
  REQUIRE_FALSE(published);
  CHECK(published.error().os_code == EFBIG);
  CHECK_FALSE(box.has("to"));
  CHECK(box.get("from") == "new");
}

TEST_CASE("an empty file at the name may be anybody's and is not touched [F6]") {
  Box box;
  box.put("from", "new");
  box.put("to", "");
  box.calls.rename_no_replace = refuse<EINVAL>;
  box.calls.link = refuse<EPERM>;
  CHECK(box.publish().error().kind == ErrorKind::Exists);
  CHECK(box.get("to").empty());
  CHECK(box.get("from") == "new");
}

TEST_CASE("a full disk is not taken for a file system that cannot [F1]") {
  Box box;
  box.put("from", "new");
  box.calls.rename_no_replace = refuse<ENOSPC>;
  CHECK(box.publish().error().os_code == ENOSPC);
  CHECK(box.get("from") == "new");
}

TEST_CASE("replacing is believed by its names as well [C5]") {
  Box box;
  box.put("from", "new");
  box.put("to", "old");
  box.calls.rename = do_and_lie<EIO, &RenameCalls::rename>;
  CHECK(replace_at(box.fd.get(), "from", box.fd.get(), "to", box.calls));
  box.put("from", "newer");
  box.calls.rename = refuse<EIO>;
  CHECK(replace_at(box.fd.get(), "from", box.fd.get(), "to", box.calls).error().os_code == EIO);
  CHECK(box.get("to") == "new");
}
