#include "agent/cli/event_listener.hpp"

#include <utility>

#include "agent/cli/check.hpp"
#include "agent/cli/check_rules.hpp"
#include "agent/pipeline/services.hpp"

namespace millrace {

Result<std::unique_ptr<EventServer>> listen_for_events(
    const EventsSettings& settings, const std::filesystem::path& config_folder, EventCounts& counts,
    std::function<bool(const PushedObject& object)> look) {
  if (settings.listen == "off") return nullptr;
  auto secret = read_key(settings.secret, config_folder);
  if (!secret) return with_context(secret.error(), "[events] secret");
  if (secret->empty()) return fail(ErrorKind::Configuration, "[events] secret: it is empty");
  auto started = EventServer::start({settings.listen, std::move(*secret), settings.certificate,
                                     settings.private_key, counts, std::move(look)});
  if (!started) return with_context(started.error(), "[events]");
  return started;
}

std::vector<Finding> check_events(const Context& context) {
  const EventsSettings& settings = context.settings.events;
  if (settings.listen == "off") return {};
  if (auto secret = read_key(settings.secret, context.config_file.parent_path()); !secret)
    return {{FindingLevel::Error, "events", secret.error().message, advice_for(settings.secret)}};
  EventCounts counts;
  const auto listening = listen_for_events(settings, context.config_file.parent_path(), counts,
                                           [](const PushedObject&) { return false; });
  const std::string tls =
      settings.certificate.empty() ? "not encrypted, on this machine" : "with TLS";
  if (listening) return {found_well("events", settings.listen + " is free, " + tls)};
  const Error& error = listening.error();
  if (error.kind != ErrorKind::Exists)
    return {{FindingLevel::Error, "events", error.message, "mend [events]"}};
  if (instance_runs(context.settings.agent.state_dir))
    return {found_well("events", settings.listen + " is taken, as it is while the agent runs")};
  return {{FindingLevel::Error, "events", error.message,
           "end what listens there, or give [events] another `listen`"}};
}

}  // namespace millrace
