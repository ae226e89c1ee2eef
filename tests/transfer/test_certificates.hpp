// A certificate authority that lives as long as a test.
#pragma once

#include <filesystem>
#include <string>

namespace millrace::test {

struct Certificate {
  std::filesystem::path certificate;  // PEM
  std::filesystem::path key;          // PEM
};

struct Leaf {
  std::string names = "IP:127.0.0.1,DNS:localhost";  // subjectAltName
  int valid_from_days = -1;
  int valid_to_days = 30;
};

class TestAuthority {
 public:
  explicit TestAuthority(std::filesystem::path folder);
  std::string trust_file() const;  // as settings name it
  Certificate issue(const std::string& name, const Leaf& leaf = {}) const;
  Certificate self_signed(const std::string& name) const;

 private:
  std::filesystem::path folder_;
  Certificate ca_;
};

}  // namespace millrace::test
