#include "agent/events/event_message.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace millrace {
namespace {

using Json = nlohmann::json;

std::unexpected<Error> no_event() {
  return fail(ErrorKind::Input, "the message is no event of a store");
}

// The text at `name`, or empty.
std::string text_at(const Json& json, const char* name) {
  const auto at = json.is_object() ? json.find(name) : json.end();
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

const Json& part(const Json& json, const char* name) {
  static const Json kNothing;
  return json.is_object() && json.contains(name) ? json[name] : kNothing;
}

// As a form has it: `+` for a space, `%2F`. Nothing if it is not encoded.
std::optional<std::string> form_decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    unsigned code = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    plain += static_cast<char>(code);
    i += 2;
  }
  if (plain == text) return std::nullopt;
  return plain;
}

void add_record(const Json& record, std::vector<PushedObject>& objects) {
  if (text_at(record, "eventName").find("ObjectRemoved") != std::string::npos) return;
  const Json& s3 = part(record, "s3");
  const std::string bucket = text_at(part(s3, "bucket"), "name");
  const std::string key = text_at(part(s3, "object"), "key");
  if (bucket.empty() || key.empty()) return;
  objects.push_back({bucket, key});
  if (auto decoded = form_decoded(key)) objects.push_back({bucket, std::move(*decoded)});
}

Result<PushedMessage> read_event(const Json& json) {
  PushedMessage message;
  const Json& records = part(json, "Records");
  // Sent once, when the notification is set up.
  if (!records.is_array() && text_at(json, "Event") == "s3:TestEvent") return message;
  if (!records.is_array()) return no_event();
  for (const Json& record : records) add_record(record, message.objects);
  return message;
}

}  // namespace

Result<PushedMessage> read_pushed_message(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return no_event();
  const std::string type = text_at(json, "Type");
  if (type == "SubscriptionConfirmation") return PushedMessage{{}, text_at(json, "SubscribeURL")};
  if (type == "UnsubscribeConfirmation") return PushedMessage{};
  if (type != "Notification") return read_event(json);
  const Json inner = Json::parse(text_at(json, "Message"), nullptr, false);
  return inner.is_object() ? read_event(inner) : no_event();
}

}  // namespace millrace
