// What a libcurl code or a passed deadline means to the one who must act on it.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Where an exchange stands; drawn in curl_transfer.hpp.
enum class Phase { Connecting, Uploading, Thinking, Downloading };

// What a message may name. No header, no path and no query of a URL.
struct Whereabouts {
  std::string_view host;
  std::string_view trust;  // the file that certificates are checked against
  Phase phase = Phase::Connecting;
};

// `detail` is libcurl's own sentence for this failure, or empty.
Error error_of_code(int code, const Whereabouts& where, std::string_view detail);

// Who did not move: the other side, or our own worker (a slow disk).
enum class Waiting { ForThem, ForUs };
Error error_of_timeout(const Whereabouts& where, Waiting waiting, Duration limit);

}  // namespace millrace
