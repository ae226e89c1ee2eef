#include "platform/host/service_states.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

using enum ServiceControl;

ServiceStates running() {
  ServiceStates states;
  states.notify("READY=1");
  return states;
}

}  // namespace

TEST_CASE("a service is starting until the agent is ready, and counts meanwhile") {
  ServiceStates states;
  CHECK(states.report().phase == ServicePhase::StartPending);
  CHECK(states.report().checkpoint == 1);
  CHECK(states.report().wait_hint > std::chrono::seconds{1});
  CHECK_FALSE(states.report().takes_controls);
  CHECK(states.tick());
  CHECK(states.report().checkpoint == 2);
  CHECK(states.notify("READY=1"));
  CHECK(states.report().phase == ServicePhase::Running);
  CHECK(states.report().takes_controls);
  CHECK(states.report().checkpoint == 0);
  CHECK(states.report().wait_hint.count() == 0);
  CHECK_FALSE(states.tick());
}

TEST_CASE("stop, shutdown and the time before it end the agent alike") {
  for (const ServiceControl control : {Stop, Shutdown, Preshutdown}) {
    ServiceStates states = running();
    const auto answer = states.control(control);
    CHECK(answer.taken);
    CHECK(answer.changed);
    CHECK(answer.signal == Signal::Stop);
    CHECK(states.report().phase == ServicePhase::StopPending);
    CHECK(states.report().checkpoint == 1);
    CHECK_FALSE(states.report().takes_controls);
    CHECK(states.tick());
    CHECK(states.report().checkpoint == 2);
  }
}

TEST_CASE("a shutdown after the stop is taken and changes nothing") {
  ServiceStates states = running();
  states.control(Preshutdown);
  states.tick();
  const ServiceReport before = states.report();
  for (const ServiceControl control : {Stop, Shutdown, Preshutdown, ParameterChange}) {
    const auto answer = states.control(control);
    CHECK(answer.taken);
    CHECK_FALSE(answer.changed);
    CHECK_FALSE(answer.signal);
  }
  CHECK(states.report() == before);
}

TEST_CASE("a changed parameter is a reload, of a service that runs") {
  ServiceStates starting;
  CHECK_FALSE(starting.control(ParameterChange).signal);
  ServiceStates states = running();
  const auto answer = states.control(ParameterChange);
  CHECK(answer.taken);
  CHECK_FALSE(answer.changed);
  CHECK(answer.signal == Signal::Reload);
}

TEST_CASE("an interrogation is taken, what is unknown is not") {
  ServiceStates states = running();
  CHECK(states.control(Interrogate).taken);
  CHECK_FALSE(states.control(Unknown).taken);
  CHECK_FALSE(states.control(Unknown).changed);
}

TEST_CASE("the word of a reload that ends late wakes no service that stops") {
  ServiceStates states = running();
  CHECK_FALSE(states.notify("RELOADING=1"));
  CHECK_FALSE(states.notify("WATCHDOG=1"));
  CHECK(states.notify("STOPPING=1"));
  CHECK_FALSE(states.notify("STOPPING=1"));
  CHECK_FALSE(states.notify("READY=1"));
  CHECK(states.report().phase == ServicePhase::StopPending);
}

TEST_CASE("the end has the agent's status, and comes once") {
  ServiceStates states = running();
  CHECK(states.ended(2));
  CHECK(states.report().phase == ServicePhase::Stopped);
  CHECK(states.report().exit_status == 2);
  CHECK(states.report().checkpoint == 0);
  CHECK_FALSE(states.ended(0));
  CHECK_FALSE(states.tick());
  CHECK_FALSE(states.control(Stop).signal);
  CHECK_FALSE(states.notify("READY=1"));
  CHECK(states.report().exit_status == 2);

  ServiceStates never_ready;
  CHECK(never_ready.ended(3));
  CHECK(never_ready.report().phase == ServicePhase::Stopped);
}

TEST_CASE("a stop that hangs stops counting") {
  ServiceStates states = running();
  states.control(Stop);
  int ticks = 0;
  while (states.tick()) REQUIRE(++ticks < 1000);
  CHECK(ticks >= 10);
  CHECK(states.report().phase == ServicePhase::StopPending);
}

}  // namespace millrace
