// Percent-encoding as S3 and its signatures want it (RFC 3986, 2.1).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

using QueryFields = std::vector<std::pair<std::string, std::string>>;  // decoded names and values

enum class Slash { Keep, Encode };

// Every byte but A-Z a-z 0-9 - . _ ~ becomes %XX (upper case).
std::string uri_encode(std::string_view bytes, Slash slash = Slash::Encode);
// %XX becomes its byte; `+` and a `%` that begins no such triple stay.
std::string uri_decode(std::string_view text);

// `name=value&...`, encoded and sorted by encoded name, then value; `name=` where there is no
// value.
std::string canonical_query(const QueryFields& fields);

// Takes `.`, `..` and empty segments out; the result begins with `/`, and ends with one if `path`
// does. Object keys never go through this: S3 keeps every byte of a path.
std::string normalized_path(std::string_view path);

}  // namespace millrace
