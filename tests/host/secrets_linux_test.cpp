#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {

TEST_CASE("a secret is kept in a file with mode 0600 [M2]") {
  const test::Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  struct stat info{};
  REQUIRE(stat((home / "secrets/ctf").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a secret that cannot be written whole leaves the old one and nothing else [M2]") {
  const test::Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "OLD"));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto ignored = signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{4, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  errno = ENOENT;
  const auto stored = store_secret(home.path(), "ctf", "CANARY");
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, ignored);
  REQUIRE_FALSE(stored);
  CHECK(stored.error().os_code == EFBIG);
  CHECK_FALSE(std::filesystem::exists(home / "secrets/ctf.new"));
  CHECK(read_secret(home.path(), "ctf").value() == "OLD");
}

}  // namespace millrace
