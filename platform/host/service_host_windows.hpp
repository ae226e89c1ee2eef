// This process as a service: what it tells the service manager and hears from it.
#pragma once

#include <memory>
#include <string_view>

#include "platform/host/host.hpp"

namespace millrace {

inline constexpr const wchar_t* kServiceName = L"Millrace";

// Any thread. They do nothing where this process is no service.
void tell_service_manager(std::string_view state);  // as notify_service_manager() has it
// The last word: the manager may believe the process gone from now on.
void tell_service_ended(int exit_status);

// Controls as signals; null where this process is no service.
std::unique_ptr<SignalSource> service_signals();

}  // namespace millrace
