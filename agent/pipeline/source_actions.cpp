#include "agent/pipeline/source_actions.hpp"

#include <nlohmann/json.hpp>
#include <vector>

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

Result<std::string> act(const Folder& folder, const SourceSummary& summary) {
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
  if (good && folder.settings.after == AfterSuccess::Delete && summary.without_result > 0) {
    // Its name was taken, or changed = "skip": these bytes are nowhere else.
    log(Level::Warning, "not deleted: no result was made of it",
        {{"folder", folder.settings.name}, {"file", source.name}});
    return "kept";
  }
  if (good && folder.settings.after == AfterSuccess::Delete) {
    if (auto removed = folder.source->remove(source); !removed) {
      return std::unexpected(removed.error());
    }
    return "deleted";
  }
  return "kept";
}

Result<std::vector<OutputPlace>> places_to_look_at(const std::string& folder,
                                                   const std::string& outbox,
                                                   const std::string& looked_through,
                                                   Ledger& ledger) {
  const auto before = ledger.recall(looked_through);
  if (!before) return std::unexpected(before.error());
  if (!*before) return std::vector{OutputPlace{folder, outbox, {}}};
  auto places = ledger.leftover_places();
  if (!places) return places;
  std::erase_if(*places, [&](const OutputPlace& place) {
    return place.folder != folder || place.outbox != outbox;
  });
  return places;
}

// What cannot be removed stays known, so that the next run looks again.
Result<Leftovers> remove_leftovers(const std::string& folder, Outbox& outbox, Ledger& ledger) {
  const std::string looked_through = "looked through " + folder + " " + outbox.id();
  const auto places = places_to_look_at(folder, outbox.id(), looked_through, ledger);
  if (!places) return std::unexpected(places.error());
  Leftovers all;
  for (const OutputPlace& place : *places) {
    const auto here = outbox.remove_leftovers(place.name);
    if (!here) return here;
    all.removed += here->removed;
    all.left += here->left;
  }
  if (all.left > 0) return all;
  auto noted = ledger.leftovers_removed(folder, outbox.id());
  if (noted) noted = ledger.remember(looked_through, "yes");
  if (!noted) return std::unexpected(noted.error());
  return all;
}

}  // namespace

Result<std::string> source_action(const Folder& folder, const SourceSummary& summary) {
  auto done = act(folder, summary);
  if (done) return done;
  if (done.error().kind == ErrorKind::Vanished) return "gone";
  if (done.error().kind == ErrorKind::Changed) return "superseded";
  return done;
}

void finish_interrupted_action(const Folder& folder, const SourceSummary& summary) {
  Result<void> done;
  if (summary.failed > 0 && folder.settings.failed == AfterFailure::Quarantine) {
    done = folder.source->finish_shelving(summary.candidate, Shelf::Quarantine, note_for(summary));
  } else if (summary.failed == 0 && folder.settings.after == AfterSuccess::Archive) {
    done = folder.source->finish_shelving(summary.candidate, Shelf::Archive, {});
  }
  if (!done)
    log_error(Level::Warning, "cannot end what was done with a source", done.error(),
              {{"folder", folder.settings.name}, {"file", summary.candidate.name}});
}

KeptResult as_kept_result(const DeliveryInProgress& delivery) {
  KeptResult kept;
  kept.output.job = delivery.job.id;
  kept.output.outbox = delivery.outbox;
  kept.output.name = delivery.final_name;
  kept.output.size = delivery.size;
  kept.output.sha256 = delivery.sha256;
  kept.output.source_version = delivery.job.candidate.version;
  kept.temporary_name = delivery.temporary_name;
  if (delivery.replaces)
    kept.replaces = OutputIdentity{delivery.replaces->size, delivery.replaces->version};
  return kept;
}

Result<std::optional<OutputRecord>> adopt_delivery(Folder& folder,
                                                   const DeliveryInProgress& delivery) {
  auto outbox = folder.outbox.get();
  if (!outbox) return std::unexpected(outbox.error());
  if ((*outbox)->id() != delivery.outbox) return std::nullopt;
  KeptResult kept = as_kept_result(delivery);
  const auto identity = (*outbox)->adopt(kept.temporary_name, kept.output.name, kept.output.sha256,
                                         kept.output.size, kept.replaces);
  if (!identity) {
    const ErrorKind kind = identity.error().kind;
    if (kind == ErrorKind::Environment || kind == ErrorKind::Stopped)
      return std::unexpected(identity.error());
    log_error(Level::Warning, "cannot finish an interrupted delivery", identity.error(),
              {{"folder", folder.settings.name}, {"output", delivery.final_name}});
    return std::nullopt;
  }
  if (!*identity) return std::nullopt;
  kept.output.size = (*identity)->size;
  kept.output.version = (*identity)->version;
  return std::move(kept.output);
}

Result<void> remove_leftovers(Folder& folder, Ledger& ledger) {
  auto outbox = folder.outbox.get();
  if (!outbox) return std::unexpected(outbox.error());
  const std::string& name = folder.settings.name;
  const auto found = remove_leftovers(name, **outbox, ledger);
  if (!found) return std::unexpected(found.error());
  if (found->removed > 0) {
    log(Level::Info, "removed temporary files of an interrupted run",
        {{"folder", name}, {"files", std::to_string(found->removed)}});
  }
  if (found->left > 0) {
    log(Level::Warning,
        "temporary files of an interrupted run cannot be removed; the next start tries it again",
        {{"folder", name}, {"files", std::to_string(found->left)}});
  }
  return {};
}

}  // namespace millrace
