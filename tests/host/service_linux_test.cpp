#include "platform/host/service.hpp"
#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("there is no service manager of ours here, and the message says what to use") {
  const auto manager = open_service_manager(ServiceScope::User);
  REQUIRE_FALSE(manager);
  CHECK(manager.error().kind == ErrorKind::Configuration);
  CHECK(manager.error().message.find("systemd") != std::string::npos);
}

TEST_CASE("the agent runs without a service manager, and ends with its own status") {
  CHECK(run_under_service_manager([] { return is_service() ? 0 : 7; }) == 7);
}

}  // namespace millrace
