#include <sys/stat.h>

#include <atomic>

#include "platform/http/server.hpp"
#include "tests/http/made_up_ca.hpp"
#include "tests/http/raw_client.hpp"
#include "tests/http/serving.hpp"
#include "tests/support/privilege_linux.hpp"

namespace millrace {

using test::ask;
using test::describe;
using test::get;
using test::options_in;
using test::post;
using test::Scratch;
using test::start;

TEST_CASE("a spooled body is private") {
  const Scratch scratch;
  std::atomic<unsigned> mode{0};
  const auto server = start(options_in(scratch), [&](auto request, Respond respond) {
    struct stat info{};
    ::stat(request->body_file.c_str(), &info);
    mode = info.st_mode & 0777;
    describe(request, respond);
  });
  CHECK(ask(server->address(), post(std::string(5000, 'z')))->body == "POST /p 5000 file");
  CHECK(mode == 0600);
}

TEST_CASE("a private key that this account may not read is told apart from one that is none") {
  const Scratch scratch;
  std::filesystem::permissions(scratch.path(), std::filesystem::perms{0755});
  const auto ca = test::make_ca(scratch.path());
  auto options = options_in(scratch);
  options.certificate = ca.certificate;
  options.private_key = ca.key;
  std::filesystem::permissions(ca.certificate, std::filesystem::perms{0644});
  std::filesystem::permissions(ca.key, std::filesystem::perms{0});
  CHECK(test::as_nobody([&] {
          const auto refused = start_http_server(options, describe);
          if (refused) return 1;
          return refused.error().message.ends_with("may not read it: Permission denied") ? 0 : 2;
        }) == 0);
}

TEST_CASE("a Unix socket is private, replaced when stale, and left alone otherwise [L4]") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.address.clear();
  options.unix_socket = scratch / "api.sock";
  auto server = start(options);
  struct stat info{};
  REQUIRE(::stat(options.unix_socket.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(server->address() == options.unix_socket.string());
  CHECK(ask(server->address(), get("/u"))->body == "GET /u 0 memory");

  const auto second = start_http_server(options, describe);
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::Exists);
  CHECK(ask(server->address(), get("/u"))->status == 200);

  std::filesystem::create_hard_link(options.unix_socket, scratch / "stale");
  server.reset();
  CHECK(!std::filesystem::exists(options.unix_socket));
  options.unix_socket = scratch / "stale";
  server = start(options);
  CHECK(ask(server->address(), get("/s"))->status == 200);

  test::write_file(scratch / "file", "precious");
  options.unix_socket = scratch / "file";
  CHECK(start_http_server(options, describe).error().kind == ErrorKind::Exists);
  CHECK(test::read_file(scratch / "file") == "precious");
  options.unix_socket = scratch / std::string(120, 'a');
  CHECK(start_http_server(options, describe).error().kind == ErrorKind::Configuration);
}

}  // namespace millrace
