// Where this system keeps the certificates that it trusts.
#pragma once

#include <string>
#include <vector>

namespace millrace {

// Bundles in the order in which they are looked for; empty on Windows, whose store is no file (and
// where anybody could make such a path).
std::vector<std::string> system_trust_files();

}  // namespace millrace
