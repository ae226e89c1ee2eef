// A bucket of the server that client_contract_test.py started:
//   S3_ENDPOINT, S3_CA_FILE, S3_STYLE (path | host), S3_KEY, S3_SECRET, S3_PREFIX (of new buckets),
//   S3_CONDITIONS (kept | refused: whether it knows `PUT If-None-Match`)
#pragma once

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "agent/s3/s3_client.hpp"
#include "tests/transfer/client.hpp"

namespace millrace::test {

inline std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Ceph's gateway does, Swift does not.
inline bool keeps_conditions() { return variable("S3_CONDITIONS") == "kept"; }

struct FixedKeys final : CredentialsProvider {
  Credentials keys{variable("S3_KEY"), variable("S3_SECRET"), "", {}};
  Result<Credentials> get(WallTime, std::stop_token) override { return keys; }
  void forget(const Credentials&, WallTime) override {}
};

// The system's clock, set wrong.
struct WrongClock final : Clock {
  std::chrono::seconds offset{0};
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const override { return std::chrono::system_clock::now() + offset; }
};

struct Bench {
  FixedKeys keys;
  WrongClock clock;
  std::unique_ptr<HttpClient> http = client();
  BucketPlace place;
  std::shared_ptr<S3Client> s3;

  Bench() {
    static int number = 0;
    place.endpoint = variable("S3_ENDPOINT");
    place.ca_file = variable("S3_CA_FILE");
    place.style = variable("S3_STYLE") == "host" ? AddressStyle::VirtualHost : AddressStyle::Path;
    place.bucket = variable("S3_PREFIX") + std::to_string(++number);
    S3Sender sender(*http, keys, clock, place);
    REQUIRE(sender.send({.method = "PUT"}, {}));
    s3 = std::make_shared<S3Client>(*http, keys, clock, place);
  }
  // With other keys, another clock or another bucket.
  S3Client other(BucketPlace where) { return {*http, keys, clock, std::move(where)}; }

  std::string read(const std::string& key, const ReadOptions& options = {}) {
    auto object = s3->get(key, options, {});
    if (!object) return "error: " + object.error().message;
    std::string text;
    std::array<std::byte, 4096> buffer;
    for (;;) {
      const auto got = object->read(buffer);
      if (!got) return "error: " + got.error().message;
      if (*got == 0) return text;
      text.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  }
  Stored put(const std::string& key, std::string_view bytes, IfTaken if_taken = IfTaken::Replace) {
    const auto stored = s3->put(key, body_of(bytes), {.if_taken = if_taken}, {});
    REQUIRE(stored);
    return *stored;
  }
};

// Keys that try every rule between here and the disk of a server [K7].
inline std::vector<std::string> odd_keys() {
  return {"plain.png",
          "a b/ü€😀+&=%.txt",
          "../dd",
          "./dot",
          "a//b",
          "/abs",
          "dir/",
          "dir",
          "dir/x",
          "Case",
          "case",
          "a\\..\\b",
          "C:x",
          "sp ",
          "tr.",
          "~!*'();:@&=+$,?#[]",
          "a%20b",
          "a+b",
          "a b",
          "日本語",
          "line\nend",
          std::string("tab\tq\"<>"),
          std::string(1024, 'k')};
}

}  // namespace millrace::test
