// The address of [events], as `run` listens there and `check` tries to.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "agent/events/event_server.hpp"
#include "config/settings.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Null if it is off. Configuration: the secret, the address or the certificate is wrong; Exists:
// somebody else listens there. `counts` and `look` as in EventServerOptions.
Result<std::unique_ptr<EventServer>> listen_for_events(
    const EventsSettings& settings, const std::filesystem::path& config_folder, EventCounts& counts,
    std::function<bool(const PushedObject& object)> look);

}  // namespace millrace
