#include "platform/host/service_states.hpp"

namespace millrace {
namespace {

// Three ticks late is not yet a service that hangs.
constexpr std::chrono::milliseconds kWaitHint{4000};
constexpr std::uint32_t kMostStartCheckpoints = 600;  // the recovery of a large ledger
constexpr std::uint32_t kMostStopCheckpoints = 20;

bool is_pending(ServicePhase phase) {
  return phase == ServicePhase::StartPending || phase == ServicePhase::StopPending;
}

}  // namespace

bool ServiceStates::enter(ServicePhase phase) {
  // The order of the phases is the order of a life; no way leads back.
  if (phase <= phase_) return false;
  phase_ = phase;
  checkpoint_ = is_pending(phase) ? 1 : 0;
  return true;
}

ServiceStates::Answer ServiceStates::control(ServiceControl control) {
  switch (control) {
    case ServiceControl::Stop:
    case ServiceControl::Shutdown:
    case ServiceControl::Preshutdown: {
      const bool changed = enter(ServicePhase::StopPending);
      return {true, changed, changed ? std::optional(Signal::Stop) : std::nullopt};
    }
    case ServiceControl::ParameterChange: {
      const bool runs = phase_ == ServicePhase::Running;
      return {true, false, runs ? std::optional(Signal::Reload) : std::nullopt};
    }
    case ServiceControl::Interrogate:
      return {true, false, std::nullopt};
    case ServiceControl::Unknown:
      break;
  }
  return {};
}

bool ServiceStates::notify(std::string_view state) {
  if (state == "READY=1") return enter(ServicePhase::Running);
  if (state == "STOPPING=1") return enter(ServicePhase::StopPending);
  return false;
}

bool ServiceStates::tick() {
  if (!is_pending(phase_)) return false;
  const bool starts = phase_ == ServicePhase::StartPending;
  if (checkpoint_ >= (starts ? kMostStartCheckpoints : kMostStopCheckpoints)) return false;
  ++checkpoint_;
  return true;
}

bool ServiceStates::ended(int exit_status) {
  if (!enter(ServicePhase::Stopped)) return false;
  exit_status_ = exit_status;
  return true;
}

ServiceReport ServiceStates::report() const {
  ServiceReport report;
  report.phase = phase_;
  report.takes_controls = phase_ == ServicePhase::Running;
  report.checkpoint = checkpoint_;
  report.wait_hint = is_pending(phase_) ? kWaitHint : std::chrono::milliseconds{0};
  report.exit_status = exit_status_;
  return report;
}

}  // namespace millrace
