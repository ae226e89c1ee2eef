// What people ask about an agent, as JSON: from the running engine and its ledger, or from the
// ledger alone.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/control/control.hpp"
#include "agent/events/event_server.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/engine.hpp"
#include "config/settings.hpp"

namespace millrace {

class AgentView final : public ControlledAgent {
 public:
  // `engine` null: no agent runs. `reload_settings` is what reload() calls; may be empty.
  AgentView(Engine* engine, Settings settings, std::unique_ptr<LedgerReader> reader,
            std::function<Result<void>()> reload_settings = {});

  // What status() tells of pushed events; before anybody asks. They outlive us.
  void show_events(const EventCounts& counts) { events_ = &counts; }

  Result<std::string> status() override;
  Result<std::string> failures() override;
  Result<std::string> explain(const std::string& file) override;
  Result<std::string> retry(const std::string& id) override;
  Result<std::string> rescan(const std::string& folder) override;
  Result<std::string> pause(const std::string& name) override;
  Result<std::string> resume(const std::string& name) override;
  Result<std::string> reload() override;

 private:
  Settings settings() const;
  std::optional<std::string> why_stalled(const std::string& folder) const;
  std::vector<std::string> why_waiting(const FolderSettings& folder,
                                       const std::vector<JobView>& rows) const;

  Engine* engine_;
  const EventCounts* events_ = nullptr;
  const Settings settings_;
  std::unique_ptr<LedgerReader> reader_;
  std::function<Result<void>()> reload_settings_;
};

// Adds to what failures() says what the ledgers know that batches of `millrace convert` keep in
// this state folder: "batches", "more_in_batches" and their "possible_extra_bills". False if there
// are no such ledgers.
bool add_failures_of_batches(nlohmann::json& all, const std::filesystem::path& state_dir);

// A job as `millrace failures` numbers it.
Result<JobId> job_number(std::string_view text);

}  // namespace millrace
