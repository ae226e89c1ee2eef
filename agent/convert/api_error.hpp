// What an answer that is no success says: the API's own error, how long to wait, what is left.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/convert/converter.hpp"
#include "agent/transfer/http_client.hpp"

namespace millrace {

// {"error":{"code":"...","message":"..."}}; both cleaned for one line, without queries of links,
// and bounded (500 bytes).
struct ApiError {
  std::string code;
  std::string message;
};

// Nothing if the body is not JSON, or not of that shape (a proxy's or a framework's answer).
std::optional<ApiError> parse_api_error(std::string_view body);

RateNews parse_rate_news(const HttpHead& head, WallTime now);

// The error that a status other than an accepted success means: one table. `own` is what
// parse_api_error() found.
Error error_of_answer(const HttpHead& head, const std::optional<ApiError>& own, WallTime now);

// 200, 201 and 203: a whole body is there.
bool is_success(int status);

}  // namespace millrace
