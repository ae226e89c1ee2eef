#include "platform/base/trust.hpp"

namespace millrace {

std::vector<std::string> system_trust_files() {
  return {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
}

}  // namespace millrace
