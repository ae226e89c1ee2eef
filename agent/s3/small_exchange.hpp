// One request whose answer fits in memory.
#pragma once

#include <stop_token>
#include <string>

#include "agent/transfer/http_client.hpp"

namespace millrace {

struct SmallAnswer {
  HttpHead head;
  std::string body;
};

// The rest of an answer. Transient if it holds more than `most` bytes. Blocks.
Result<std::string> read_whole(HttpExchange& exchange, std::size_t most);

// Sends a request with `body` and takes the whole answer, of at most `most` bytes. Blocks.
Result<SmallAnswer> small_exchange(HttpClient& http, HttpRequest request, std::string_view body,
                                   std::size_t most, std::stop_token stop);

}  // namespace millrace
