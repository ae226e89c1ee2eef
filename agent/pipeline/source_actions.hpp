// What becomes of a source when all its targets are final, and of deliveries that were cut off.
#pragma once

#include <optional>
#include <string>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/folder.hpp"
#include "agent/pipeline/kept_results.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Does what the folder's `after` and `failed` say, once; "kept", "archived", "deleted" or
// "quarantined". The source is touched only while it is the version that was converted; else it is
// "gone" (a run that was cut off, or somebody else, took it) or "superseded" by a newer version.
Result<std::string> source_action(const Folder& folder, const SourceSummary& summary);

// To be called before source_action() for a version whose action may have been cut off.
void finish_interrupted_action(const Folder& folder, const SourceSummary& summary);

// The same delivery, as one of this run.
KeptResult as_kept_result(const DeliveryInProgress& delivery);

// Looks for the bytes that were about to be published; their record if they are in place now. None
// if the folder has another outbox by now. Environment if the outbox cannot be looked at; Stopped.
Result<std::optional<OutputRecord>> adopt_delivery(Folder& folder,
                                                   const DeliveryInProgress& delivery);

// Removes temporary files of ours that no job owns: everywhere in an outbox that this ledger never
// looked through, else only where it knows of work that was cut off. Called before any worker takes
// a job of this folder. Environment if the outbox cannot be looked at.
Result<void> remove_leftovers(Folder& folder, Ledger& ledger);

}  // namespace millrace
