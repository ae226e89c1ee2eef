#include "agent/pipeline/source_actions.hpp"

#include <nlohmann/json.hpp>

#include "agent/report/log.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// What lies beside a quarantined file, for the person who finds it.
std::string note_for(const SourceSummary& summary) {
  const nlohmann::json note{{"file", printable(summary.candidate.name)},
                            {"folder", summary.candidate.folder},
                            {"size", summary.candidate.size},
                            {"reason", summary.first_reason}};
  return note.dump(2) + "\n";
}

}  // namespace

Result<std::string> source_action(const Folder& folder, const SourceSummary& summary) {
  const Candidate& source = summary.candidate;
  const bool good = summary.failed == 0 && summary.cancelled == 0;
  if (summary.failed > 0 && folder.settings.failed == AfterFailure::Quarantine) {
    auto moved = folder.source->shelve(source, Shelf::Quarantine, note_for(summary));
    if (!moved) return std::unexpected(moved.error());
    log(Level::Warning, "quarantined", {{"file", source.name}, {"now", *moved}});
    return "quarantined";
  }
  if (good && folder.settings.after == AfterSuccess::Archive) {
    auto moved = folder.source->shelve(source, Shelf::Archive, {});
    if (!moved) return std::unexpected(moved.error());
    return "archived";
  }
  if (good && folder.settings.after == AfterSuccess::Delete) {
    if (auto removed = folder.source->remove(source); !removed) {
      return std::unexpected(removed.error());
    }
    return "deleted";
  }
  return "kept";
}

std::optional<OutputRecord> adopt_delivery(Folder& folder, const DeliveryInProgress& delivery) {
  auto outbox = folder.outbox.get();
  if (!outbox) {
    log_error(Level::Warning, "cannot look for an interrupted delivery", outbox.error(),
              {{"folder", folder.settings.name}});
    return std::nullopt;
  }
  std::optional<OutputIdentity> replaces;
  if (delivery.replaces) replaces = {delivery.replaces->size, delivery.replaces->version};
  const auto identity = (*outbox)->adopt(delivery.temporary_name, delivery.final_name,
                                         delivery.sha256, delivery.size, replaces);
  if (!identity) {
    log_error(Level::Warning, "cannot finish an interrupted delivery", identity.error(),
              {{"folder", folder.settings.name}, {"output", delivery.final_name}});
    return std::nullopt;
  }
  if (!*identity) return std::nullopt;
  OutputRecord record;
  record.job = delivery.job.id;
  record.outbox = delivery.outbox;
  record.name = delivery.final_name;
  record.size = (*identity)->size;
  record.version = (*identity)->version;
  record.sha256 = delivery.sha256;
  record.source_version = delivery.job.candidate.version;
  return record;
}

void remove_leftovers(Folder& folder) {
  auto outbox = folder.outbox.get();
  if (!outbox) return;  // looked for when it is back, before its first delivery
  const auto removed = (*outbox)->remove_leftovers({});
  if (!removed) {
    log_error(Level::Warning, "cannot look for leftovers", removed.error(),
              {{"folder", folder.settings.name}});
  } else if (*removed > 0) {
    log(Level::Info, "removed temporary files of an interrupted run",
        {{"folder", folder.settings.name}, {"files", std::to_string(*removed)}});
  }
}

}  // namespace millrace
