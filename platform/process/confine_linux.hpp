// The two halves of confine(). Used inside this unit only.
#pragma once

#include "platform/process/sandbox.hpp"

namespace millrace::process {

// The Landlock version in force; 0 where the kernel has none. Environment when the kernel has it
// and refuses the rules (the scratch folder is missing).
Result<int> confine_paths(const ConfineRules& rules);

// Whether the filter is in force.
bool confine_system_calls();

}  // namespace millrace::process
