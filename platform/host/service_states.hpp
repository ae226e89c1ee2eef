// What a service of Windows tells its manager, worked out without Windows, so that the controls
// which no test system sends can be tried as well.
// https://learn.microsoft.com/windows/win32/services/service-status-transitions
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "platform/host/host.hpp"

namespace millrace {

//   StartPending --READY=1--> Running --control, STOPPING=1--> StopPending --ended()--> Stopped
//        |  |                    |                                                        ^
//        |  +--STOPPING=1--> StopPending                                                  |
//        +---------ended()-------+--------------------ended()-----------------------------+
//
// In StartPending and StopPending the checkpoint moves with every tick(); nothing leaves Stopped.
enum class ServicePhase { StartPending, Running, StopPending, Stopped };

enum class ServiceControl { Stop, Shutdown, Preshutdown, ParameterChange, Interrogate, Unknown };

// What stands in the SERVICE_STATUS.
struct ServiceReport {
  ServicePhase phase = ServicePhase::StartPending;
  bool takes_controls = false;          // all of them but Interrogate, which is always taken
  std::uint32_t checkpoint = 1;         // 0 where nothing is pending
  std::chrono::milliseconds wait_hint;  // until the next checkpoint at most
  int exit_status = 0;                  // of the agent, once it is Stopped
  bool operator==(const ServiceReport&) const = default;
};

// Single-threaded; reads no clock. What changes the report gives true: then it is to be sent.
class ServiceStates {
 public:
  struct Answer {
    bool taken = false;            // false: not implemented
    bool changed = false;          // the report
    std::optional<Signal> signal;  // for the agent
  };
  // What the manager asks for. Once the service stops, further controls are taken and change
  // nothing.
  Answer control(ServiceControl control);
  // READY=1 or STOPPING=1, as notify_service_manager() has them; other words change nothing.
  bool notify(std::string_view state);
  // Called once a second. A start or a stop that takes for ever stops counting after some minutes,
  // so that whoever waits for it sees that it hangs.
  bool tick();
  bool ended(int exit_status);

  ServiceReport report() const;

 private:
  bool enter(ServicePhase phase);

  ServicePhase phase_ = ServicePhase::StartPending;
  std::uint32_t checkpoint_ = 1;
  int exit_status_ = 0;
};

}  // namespace millrace
