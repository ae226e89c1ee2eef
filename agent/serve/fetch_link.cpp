#include "agent/serve/fetch_link.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "platform/base/text.hpp"

namespace millrace::serve {
namespace {

// What a body may take. One that drips for ever would keep a renderer for itself.
constexpr Duration kForAnyBody = std::chrono::seconds{60};
constexpr std::uint64_t kSlowest = 10'000;  // bytes a second beyond that

Duration longest_for(std::uint64_t bytes) {
  return kForAnyBody + std::chrono::seconds{static_cast<std::int64_t>(bytes / kSlowest)};
}

bool is_https(std::string_view url) { return to_lower_ascii(url.substr(0, 8)) == "https://"; }

std::unexpected<ServerResponse> refuse(int status, std::string_view code,
                                       std::string_view message) {
  return std::unexpected(error_response(status, code, message));
}

std::expected<void, ServerResponse> receive(HttpExchange& exchange, ScratchWriter& writer,
                                            std::uint64_t most, const std::string& place,
                                            const Clock& clock) {
  std::array<std::byte, 64 * 1024> buffer;
  const TimePoint begun = clock.now();
  std::uint64_t got = 0;
  for (;;) {
    const auto n = exchange.read(buffer);
    if (!n) return refuse(422, "fetch_failed", place + ": " + n.error().message);
    if (*n == 0) break;
    if (*n > most - got) return refuse(413, "too_large", "the file behind the link is too large");
    got += *n;
    if (clock.now() - begun > longest_for(got))
      return refuse(422, "fetch_failed", place + " sends the file too slowly");
    const auto wrote = writer.write({reinterpret_cast<const char*>(buffer.data()), *n});
    if (!wrote) return refuse(507, "no_space", wrote.error().message);
  }
  if (auto closed = writer.close(); !closed) return refuse(507, "no_space", closed.error().message);
  return {};
}

}  // namespace

std::string place_of(const std::string& url) {
  const std::string lower = to_lower_ascii(url);
  const bool https = is_https(lower);
  if (!https && !lower.starts_with("http://")) return {};
  const std::size_t begin = https ? 8 : 7;
  const std::size_t end = std::min(lower.find_first_of("/?#\\", begin), lower.size());
  std::string place = lower.substr(begin, end - begin);
  const bool plain =
      !place.empty() && place.front() != ':' && std::all_of(place.begin(), place.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == ':' || c == '[' || c == ']' || c == '_';
      });
  if (!plain) return {};
  const std::size_t colon = place.rfind(':');
  const bool has_port = colon != std::string::npos && place.back() != ']';
  return has_port ? place : place + (https ? ":443" : ":80");
}

std::expected<void, ServerResponse> fetch_link(HttpClient* client, const FetchRules& rules,
                                               ConvertRequest& request, ScratchFolder& scratch,
                                               const Clock& clock, std::stop_token stop) {
  const std::string place = place_of(request.link);
  const bool allowed =
      std::find(rules.allow.begin(), rules.allow.end(), place) != rules.allow.end();
  if (client == nullptr || place.empty() || (!allowed && !is_https(request.link)))
    return refuse(422, "file_url_disabled", "only https links are fetched");
  HttpRequest get;
  get.addresses = allowed ? AddressRule::Any : AddressRule::PublicOnly;
  get.method = "GET";
  get.url = request.link;
  get.ca_file = rules.ca_file;
  get.max_answer = rules.max_size + 1;
  auto exchange = client->start(std::move(get), std::move(stop));
  if (!exchange) return refuse(422, "fetch_failed", place + ": " + exchange.error().message);
  const auto head = (*exchange)->head();
  if (!head && head.error().kind == ErrorKind::Configuration && !allowed)
    return refuse(422, "file_url_disabled",
                  head.error().message + "; --allow-fetch " + place + " permits it");
  if (!head) return refuse(422, "fetch_failed", place + ": " + head.error().message);
  if (head->status != 200 || !head->framed)
    return refuse(422, "fetch_failed",
                  place + " answered with status " + std::to_string(head->status));
  if (head->length && *head->length > rules.max_size)
    return refuse(413, "too_large", "the file behind the link is too large");
  auto file = scratch.name("in");
  auto writer = ScratchWriter::create(file->path());
  if (!writer) return refuse(507, "no_space", writer.error().message);
  auto received = receive(**exchange, *writer, rules.max_size, place, clock);
  if (!received) return received;
  request.input = file->path();
  request.owns = std::move(file);
  return {};
}

}  // namespace millrace::serve
