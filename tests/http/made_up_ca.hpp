// A certificate authority that nobody trusts, and a certificate of it for 127.0.0.1.
#pragma once

#include <filesystem>
#include <string>

namespace millrace::test {

struct MadeUpCa {
  std::filesystem::path ca, certificate, key;  // PEM
};
MadeUpCa make_ca(const std::filesystem::path& folder);

// One request over TLS that trusts only `ca`; `at_most_tls_1_1` offers nothing newer.
enum class Offer { Modern, AtMostTls11 };
struct TlsAnswer {
  bool shaken = false;
  std::string text;  // all that came until the end
};
TlsAnswer ask_tls(const std::string& address, const std::filesystem::path& ca,
                  const std::string& request, Offer offer = Offer::Modern);

}  // namespace millrace::test
