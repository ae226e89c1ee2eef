// What is read out of a URL, by libcurl's own parser.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// Where a Location header leads from `base` (RFC 3986 5). Input if that is no URL, not https, or
// holds a user name or a password; plain http is let through where `base` is plain http itself.
Result<std::string> redirect_target(const std::string& base, std::string_view location);

// "https://host:443", lower case, always with a port; empty for what is no URL.
std::string origin_of(const std::string& url);

// The last part of the path, percent-decoded: "a b.png" of "https://h/x/a%20b.png?y". Empty for a
// path that ends in `/`.
std::string path_leaf(const std::string& url);

}  // namespace millrace
