// libcurl's URL parser (libcurl-url(3)), for what has to read a URL as libcurl will.
#pragma once

#include <memory>
#include <string>

struct Curl_URL;

namespace millrace {

struct FreeUrl {
  void operator()(Curl_URL* url) const;
};
using ParsedUrl = std::unique_ptr<Curl_URL, FreeUrl>;

// Nothing if it is no URL.
ParsedUrl parse_url(const std::string& text);

// `which` is one of CURLUPART_*; "" if the URL has none. The flags are those of curl_url_get(3).
std::string url_part(const ParsedUrl& url, int which, unsigned flags = 0);

}  // namespace millrace
