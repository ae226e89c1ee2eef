// The keys that sign requests, and who provides them.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;        // empty: none, keys of a user
  std::optional<WallTime> expires;  // nothing: they hold until somebody changes them
};

// Thread-safe. get() may block on a file or on the network and ends with Stopped soon after `stop`
// fires. No message holds a key.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  // Vanished: this provider has none, the next one may be asked. Every other error is a fault in
  // what was set up or asked, and hides no other keys behind it.
  virtual Result<Credentials> get(WallTime now, std::stop_token stop) = 0;
  // A server refused `keys`, which get() gave: what is kept of them is not given again.
  virtual void forget(const Credentials& keys, WallTime now) = 0;
};

}  // namespace millrace
