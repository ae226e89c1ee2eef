// What becomes of a source when all its targets are final, and of deliveries that were cut off.
#pragma once

#include <optional>
#include <string>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/folder.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Does what the folder's `after` and `failed` say, once; "kept", "archived", "deleted" or
// "quarantined". The source is touched only while it is the version that was converted.
Result<std::string> source_action(const Folder& folder, const SourceSummary& summary);

// Looks for the bytes that were about to be published; their record if they are in place now.
std::optional<OutputRecord> adopt_delivery(Folder& folder, const DeliveryInProgress& delivery);

// Removes temporary files of ours that no job owns. Called before any worker runs.
void remove_leftovers(Folder& folder);

}  // namespace millrace
