#include "agent/transfer/http_client.hpp"

#include <algorithm>

namespace millrace {

std::optional<std::string_view> HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return std::nullopt;
}

Result<std::span<const std::byte>> HttpExchange::next() {
  if (!rest_.empty()) return std::exchange(rest_, {});
  return take();
}

Result<std::size_t> HttpExchange::read(std::span<std::byte> into) {
  if (rest_.empty()) {
    const auto arrived = take();
    if (!arrived) return std::unexpected(arrived.error());
    rest_ = *arrived;
  }
  const std::size_t n = std::min(into.size(), rest_.size());
  std::ranges::copy(rest_.first(n), into.begin());
  rest_ = rest_.subspan(n);
  return n;
}

}  // namespace millrace
