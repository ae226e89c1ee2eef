#include "agent/s3/credentials_document.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/s3/iso_time.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

std::string cut(std::string_view text) {
  constexpr std::string_view kAround = " \t\r\n";
  const auto first = text.find_first_not_of(kAround);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kAround) - first + 1));
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

std::string text_at(const nlohmann::json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result<Credentials> checked(Credentials keys, std::string_view where) {
  struct Row {
    std::string* text;
    std::string_view what;
    bool needed;
  };
  const Row rows[] = {{&keys.access_key_id, "access key id", true},
                      {&keys.secret_access_key, "secret access key", true},
                      {&keys.session_token, "session token", false}};
  for (const Row& row : rows) {
    *row.text = cut(*row.text);
    if (row.needed && row.text->empty())
      return fail(ErrorKind::Configuration,
                  "no " + std::string(row.what) + " in " + std::string(where));
    if (!is_plain(*row.text))
      return fail(ErrorKind::Configuration, "the " + std::string(row.what) + " in " +
                                                std::string(where) +
                                                " holds spaces or other bytes that no key has");
  }
  return keys;
}

Result<Credentials> parse_credentials_document(std::string_view json, std::string_view who) {
  const auto document = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  const std::string giver(who);
  if (!document.is_object())
    return fail(ErrorKind::Transient, giver + " gave an answer that holds no keys");
  const std::string code = text_at(document, "Code");
  if (!code.empty() && code != "Success")
    return fail(ErrorKind::Transient, giver + " says " + printable(code, 100));
  Credentials keys{text_at(document, "AccessKeyId"),
                   text_at(document, "SecretAccessKey"),
                   text_at(document, "Token"),
                   {}};
  const std::string expires = text_at(document, "Expiration");
  keys.expires = parse_iso_time(expires);
  if (!expires.empty() && !keys.expires)
    return fail(ErrorKind::Transient, giver + " gave keys with a time that cannot be read");
  auto good = checked(std::move(keys), "what " + giver + " gave");
  if (!good) return fail(ErrorKind::Transient, good.error().message);
  return good;
}

}  // namespace millrace
