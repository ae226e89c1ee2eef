#include "platform/base/trust.hpp"

namespace millrace {

std::vector<std::string> system_trust_files() { return {}; }

}  // namespace millrace
