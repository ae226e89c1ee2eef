#include "agent/convert/api_error.hpp"

#include "agent/convert/json_strings.hpp"
#include "agent/transfer/answer_times.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

constexpr auto kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 12h;

HttpHead head_of(int status, Headers headers = {}) {
  HttpHead head;
  head.status = status;
  head.headers = std::move(headers);
  return head;
}

ErrorKind kind_of(int status, const char* body, Headers headers = {}) {
  return error_of_answer(head_of(status, std::move(headers)), parse_api_error(body), kNow).kind;
}

const char* const kOwn = R"({"error":{"code":"bad_input","message":"broken"}})";

}  // namespace

TEST_CASE(
    "Each status has its kind, with and without the API's own error [E1] [E2] [E3] [E5] [E6] "
    "[E15]") {
  using enum ErrorKind;
  struct Row {
    int status;
    ErrorKind own, foreign;
  };
  const Row rows[] = {{202, Transient, Transient},
                      {204, Transient, Transient},
                      {206, Transient, Transient},
                      {301, Configuration, Configuration},
                      {302, Configuration, Configuration},
                      {303, Configuration, Configuration},
                      {307, Configuration, Configuration},
                      {308, Configuration, Configuration},
                      {400, Input, Configuration},
                      {401, Configuration, Configuration},
                      {402, Quota, Quota},
                      {403, Configuration, Configuration},
                      {404, Configuration, Configuration},
                      {405, Configuration, Configuration},
                      {406, Input, Configuration},
                      {407, Unreachable, Unreachable},
                      {408, Transient, Transient},
                      {409, Busy, Busy},
                      {410, Configuration, Configuration},
                      {413, Input, Configuration},
                      {415, Input, Configuration},
                      {417, Transient, Transient},
                      {418, Input, Configuration},
                      {422, Input, Configuration},
                      {425, Transient, Transient},
                      {429, Rate, Rate},
                      {499, Input, Configuration},
                      {500, Transient, Transient},
                      {501, Transient, Transient},
                      {502, Transient, Transient},
                      {503, Transient, Transient},
                      {504, Transient, Transient},
                      {520, Transient, Transient},
                      {524, Transient, Transient},
                      {599, Transient, Transient},
                      {999, Transient, Transient}};
  for (const Row& row : rows) {
    CAPTURE(row.status);
    CHECK(kind_of(row.status, kOwn) == row.own);
    CHECK(kind_of(row.status, "<html>no</html>") == row.foreign);
  }
}

TEST_CASE("Codes and headers refine the kind [E3] [E4] [E6]") {
  CHECK(kind_of(429, R"({"error":{"code":"quota_exceeded","message":""}})") == ErrorKind::Quota);
  CHECK(kind_of(422, R"({"error":{"code":"idempotency_mismatch","message":"x"}})") ==
        ErrorKind::Defect);
  CHECK(kind_of(503, "", {{"retry-after", "5"}}) == ErrorKind::Rate);
  CHECK(kind_of(503, "", {{"retry-after", "soon"}}) == ErrorKind::Transient);
}

TEST_CASE("Retry-After is read in all its forms and clamped [E4]") {
  struct Row {
    const char* text;
    std::optional<Duration> wait;
  };
  const Row rows[] = {{"5", 5s},
                      {" 7 ", 7s},
                      {"0", 1s},
                      {"-5", 1s},
                      {"3600", 1h},
                      {"99999999999", 1h},
                      {"99999999999999999999999999", 1h},
                      {"Sat, 21 Nov 2026 12:00:30 GMT", 30s},
                      {"Saturday, 21-Nov-26 12:00:30 GMT", 30s},
                      {"Sat Nov 21 12:00:30 2026", 30s},
                      {"Sat, 21 Nov 2026 11:00:00 GMT", 1s},
                      {"Sat, 21 Nov 2038 12:00:00 GMT", 1h},
                      {"Fri, 31 Dec 9999 23:59:59 GMT", 1h},
                      {"Sun, 31 Feb 2026 12:00:00 GMT", std::nullopt},
                      {"soon", std::nullopt},
                      {"", std::nullopt},
                      {"1.5", std::nullopt}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(parse_retry_after(head_of(429, {{"retry-after", row.text}}), kNow) == row.wait);
  }
  CHECK_FALSE(parse_retry_after(head_of(429), kNow));
  CHECK(error_of_answer(head_of(429), {}, kNow).retry_after == 0ms);
  CHECK(error_of_answer(head_of(429, {{"retry-after", "2"}}), {}, kNow).retry_after == 2s);
}

TEST_CASE("A date is measured by the answer's own clock [E4] [H1]") {
  const auto head = head_of(429, {{"date", "Sun, 22 Nov 2026 18:00:00 GMT"},
                                  {"retry-after", "Sun, 22 Nov 2026 18:00:09 GMT"}});
  CHECK(parse_retry_after(head, kNow) == 9s);
}

TEST_CASE("News of limits is read from the headers [E3]") {
  const auto news = parse_rate_news(head_of(200, {{"x-ctf-remaining", "12"},
                                                  {"x-ratelimit-limit", "10"},
                                                  {"x-ratelimit-remaining", "0"},
                                                  {"x-ratelimit-reset", "42"}}),
                                    kNow);
  CHECK(news.quota_remaining == 12);
  CHECK(news.window_limit == 10);
  CHECK(news.window_remaining == 0);
  CHECK(news.window_reset == Duration{42s});
  const auto at = std::to_string(to_unix_ms(kNow) / 1000 + 30);
  CHECK(parse_rate_news(head_of(200, {{"x-ratelimit-reset", at}}), kNow).window_reset ==
        Duration{30s});
  const auto bad = parse_rate_news(
      head_of(200, {{"x-ctf-remaining", "-1"}, {"x-ratelimit-remaining", "many"}}), kNow);
  CHECK_FALSE(bad.quota_remaining);
  CHECK_FALSE(bad.window_remaining);
}

TEST_CASE("An error text is bounded and safe for a terminal [E1] [K6]") {
  const auto error = parse_api_error("{\"error\":{\"code\":\"x\",\"message\":\"a\\u001b[31m\\n" +
                                     std::string(5000, 'y') + "\"}}");
  REQUIRE(error);
  CHECK(error->message.starts_with("a\\x1b[31m\\x0a"));
  CHECK(error->message.size() < 600);
}

TEST_CASE("Only the API's own shape of error counts [E1]") {
  CHECK(parse_api_error(R"( {"a":[1,{"b":null}],"error":{"details":{"code":"no"},"code":"c"}} )")
            ->code == "c");
  for (const char* body :
       {"", "{}", "[]", "null", R"({"error":"text"})", R"({"error":{"message":"m"}})",
        R"({"code":"c"})", R"({"error":{"code":5}})", R"({"error":{"code":"c"}} x)",
        R"({"error":{"code":"c"})", R"({"error":[{"code":"c"}]})",
        R"({"x":{"error":{"code":"c"}}})", "{\"error\":{\"code\":\"c\n\"}}",
        R"({"error":{"code":"\q"}})", "<html>"}) {
    CAPTURE(body);
    CHECK_FALSE(parse_api_error(body));
  }
  CHECK(json_string_at(R"("\u00e9\ud83d\ude00\ud800")", {}) ==
        "\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBD");
  CHECK_FALSE(parse_api_error(std::string(100000, '[')));
}
