#include "platform/base/trust.hpp"

namespace millrace {

std::vector<std::string> system_trust_files() { return {"/etc/ssl/cert.pem"}; }

}  // namespace millrace
