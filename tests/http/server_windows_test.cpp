#include "platform/http/local_address.hpp"
#include "platform/http/server.hpp"
#include "tests/http/raw_client.hpp"
#include "tests/http/serving.hpp"

namespace millrace {

using test::ask;
using test::describe;
using test::get;
using test::options_in;
using test::Scratch;
using test::start;

namespace {

std::string with_token(std::string_view target, const LocalAddress& address) {
  const auto& [name, value] = address.headers.at(0);
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + name + ": " + value +
         "\r\n\r\n";
}

}  // namespace

TEST_CASE("the local server asks for its token, and is replaced when it is gone [L4]") {
  const Scratch scratch;
  auto options = options_in(scratch);
  options.address.clear();
  options.unix_socket = scratch / "api.sock";
  CHECK(local_address(options.unix_socket).error().kind == ErrorKind::Unreachable);
  auto server = start(options);
  const auto address = local_address(options.unix_socket).value();
  CHECK(ask(address.origin, with_token("/u", address))->body == "GET /u 0 memory");
  CHECK(ask(address.origin, get("/u"))->status == 401);

  const auto second = start_http_server(options, describe);
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::Exists);
  CHECK(ask(address.origin, with_token("/u", address))->status == 200);

  std::filesystem::copy_file(options.unix_socket, scratch / "stale");
  server.reset();
  CHECK(!std::filesystem::exists(options.unix_socket));
  options.unix_socket = scratch / "stale";
  server = start(options);
  const auto fresh = local_address(options.unix_socket).value();
  CHECK(ask(fresh.origin, with_token("/s", fresh))->status == 200);
  CHECK(ask(fresh.origin, with_token("/s", address))->status == 401);

  test::write_file(scratch / "file", "precious");
  options.unix_socket = scratch / "file";
  CHECK(start_http_server(options, describe).error().kind == ErrorKind::Exists);
  CHECK(test::read_file(scratch / "file") == "precious");
}

}  // namespace millrace
