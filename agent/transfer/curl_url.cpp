#include "agent/transfer/curl_url.hpp"

#include <curl/curl.h>

#include <new>

namespace millrace {

void FreeUrl::operator()(Curl_URL* url) const { curl_url_cleanup(url); }

ParsedUrl parse_url(const std::string& text) {
  ParsedUrl url{curl_url()};
  if (!url) throw std::bad_alloc();
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  return url;
}

std::string url_part(const ParsedUrl& url, int which, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url.get(), static_cast<CURLUPart>(which), &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace millrace
