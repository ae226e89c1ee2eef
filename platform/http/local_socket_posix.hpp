// Unix sockets as each system makes them. Used inside this unit only.
#pragma once

#include "platform/base/descriptor_posix.hpp"

namespace millrace {

enum class Waits { Yes, Never };

// A stream socket, closed on exec; empty with errno where the system refuses. Never: connect() on
// it does not wait.
Descriptor make_local_socket(Waits waits);

// Before bind(): the file that it makes is for the owner alone, where the system can be told so.
// False with errno.
bool make_owner_only(const Descriptor& socket);

}  // namespace millrace
