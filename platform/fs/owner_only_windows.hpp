// Files that nobody but their owner may read.
#pragma once

#include <windows.h>

#include "platform/base/result.hpp"

namespace millrace {

// An access list for the account of this process, the system and its administrators, which
// inherits nothing: what 0600 is elsewhere. Made once; Environment if the system refuses it.
Result<SECURITY_DESCRIPTOR*> owner_only();

}  // namespace millrace
