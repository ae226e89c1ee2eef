#include "agent/download/range_fetch.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>

#include "agent/download/answer_rules.hpp"
#include "agent/download/file_fetcher.hpp"
#include "agent/transfer/curl_http.hpp"
#include "tests/download/download_bench.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr std::size_t kSize = 4000;

std::string some_file(char kind = 'a') {
  std::string bytes(kSize, kind);
  for (std::size_t i = 0; i < kSize; i += 7) bytes[i] = static_cast<char>('0' + i % 64);
  return bytes;
}

std::string tag_of(const std::string& file) { return "\"" + to_hex(sha256(file)) + "\""; }

struct Range {
  std::size_t first = 0, last = 0;
};
std::optional<Range> range_in(const std::string& head) {
  const auto at = head.find("Range: bytes=");
  if (at == head.npos) return std::nullopt;
  const auto dash = head.find('-', at);
  return Range{std::stoul(head.substr(at + 13)), std::stoul(head.substr(dash + 1))};
}

std::string whole_reply(const std::string& file) {
  return reply("200 OK", "Accept-Ranges: bytes\r\nETag: " + tag_of(file) + "\r\n", file);
}

// As a server does that knows ranges and validators.
std::string right_reply(const std::string& head, const std::string& file) {
  const auto range = range_in(head);
  if (!range || head.find("If-Range: " + tag_of(file)) == head.npos) return whole_reply(file);
  return reply("206 Partial Content",
               "ETag: " + tag_of(file) + "\r\nContent-Range: bytes " +
                   std::to_string(range->first) + "-" + std::to_string(range->last) + "/" +
                   std::to_string(file.size()) + "\r\n",
               file.substr(range->first, range->last - range->first + 1));
}

std::vector<std::size_t> firsts_of(const std::vector<std::string>& heads) {
  std::vector<std::size_t> firsts;
  for (const auto& head : heads)
    if (const auto range = range_in(head)) firsts.push_back(range->first);
  std::ranges::sort(firsts);
  return firsts;
}

void divide_from_1000(DownloadBench& bench) {
  bench.options.fetch.ranges_from = 1000;
  bench.options.retry.quick_attempts = 20;
}

HttpHead head_with(Headers headers) {
  HttpHead head;
  head.headers = std::move(headers);
  return head;
}

}  // namespace

TEST_CASE("a long file is fetched in ranges of one validator and joined") {
  const std::string file = some_file();
  ListServer server([&](const std::string& head) { return right_reply(head, file); });
  DownloadBench bench(server);
  divide_from_1000(bench);
  const auto tally =
      bench.run("url,sha256\n" + server.url("/f") + "," + to_hex(sha256(file)) + "\n");
  CHECK(tally.fetched == 1);
  CHECK(tally.anew == 0);
  CHECK(tally.bytes == kSize);
  CHECK(bench.file("f") == file);
  CHECK(bench.names() == std::vector<std::string>{"f"});
  CHECK(server.heads().size() == 4);
  CHECK(firsts_of(server.heads()) == std::vector<std::size_t>{1000, 2000, 3000});
  CHECK(bench.run(server.url("/f")).skipped == 1);
  CHECK(server.heads().size() == 4);
}

TEST_CASE("ranges are asked for at the same time where there is leave for it") {
  const int leaves = GENERATE(3, 1, 0);
  const std::string file = some_file();
  std::mutex mutex;
  std::condition_variable changed;
  int asked = 0, answered = 0, most = 0;
  FaultServer server([&](Connection& connection) {
    while (connection.read_request()) {
      if (range_in(connection.head())) {
        std::unique_lock lock(mutex);
        ++asked;
        most = std::max(most, asked - answered);
        changed.notify_all();
        // The first answer waits for all that may come at the same time.
        changed.wait_for(lock, std::chrono::seconds{30}, [&] { return asked >= leaves; });
        ++answered;
      }
      connection.write(right_reply(connection.head(), file));
    }
  });
  Scratch scratch;
  const auto folder = real_file_system().make_directory(scratch / "into");
  const auto ledger = FileLedger::open(scratch / "downloads.db", FileLedger::Durable::No);
  const auto http = start_curl_http({});
  REQUIRE((folder && ledger && http));
  FetchRules rules;
  rules.allow = {"127.0.0.1:" + std::to_string(server.port())};
  rules.ranges_from = 1000;
  const SystemClock clock;
  FileFetcher fetcher(**http, **folder, **ledger, clock, rules);
  std::atomic<int> left{leaves}, ended{0};
  const MoreRequests more{[&] { return left.fetch_sub(1) > 0; }, [&] { ++ended; }};
  ListItem item;
  item.url = server.url("/f");
  FileRecord record;
  record.key = "key";
  record.name = "f";
  REQUIRE((*ledger)->reserve(record, "f"));
  std::string bad_sha256;
  auto asked_for = fetcher.ask(item, record, {}, [](Arrival) {});
  REQUIRE(asked_for);
  const auto fetched = fetcher.fetch(std::move(*asked_for), item, record, {}, more, bad_sha256);
  REQUIRE(fetched);
  CHECK(fetched->record.sha256 == to_hex(sha256(file)));
  CHECK(most <= leaves + 1);  // its own request, and one for each leave
  if (leaves == 3) CHECK(most == 3);
  CHECK(ended == leaves);
}

TEST_CASE("ranges that were cut off are taken up where they were [N7]") {
  const std::string file = some_file();
  ListServer server([&](const std::string& head) {
    std::string text = right_reply(head, file);
    // Of 100 bytes and more, half.
    const auto range = range_in(head);
    const std::size_t length = range ? range->last - range->first + 1 : 0;
    return length >= 100 ? text.substr(0, text.size() - length / 2) : text;
  });
  DownloadBench bench(server);
  divide_from_1000(bench);
  const auto tally = bench.run(server.url("/f"));
  CHECK(tally.fetched == 1);
  CHECK(tally.bytes == kSize);
  CHECK(bench.file("f") == file);
  CHECK(bench.names() == std::vector<std::string>{"f"});
  for (const auto& head : server.heads())
    if (range_in(head)) CHECK(head.find("If-Range: " + tag_of(file)) != head.npos);
}

TEST_CASE("what another process left of ranges is asked for no more [N7]") {
  const std::string file = some_file();
  bool cuts = true;
  ListServer server([&](const std::string& head) {
    return range_in(head) && cuts ? reply("404 Not Found", "", "") : right_reply(head, file);
  });
  DownloadBench bench(server);
  divide_from_1000(bench);
  bench.options.window.max_connections = 1;
  CHECK(bench.run(server.url("/f")).failed == 1);  // with its first range
  cuts = false;
  const auto tally = bench.run(server.url("/f"));
  CHECK(tally.fetched == 1);
  CHECK(tally.bytes == kSize - 1000);
  CHECK(bench.file("f") == file);
  CHECK(bench.names() == std::vector<std::string>{"f"});
}

TEST_CASE("a file that changes between its ranges is fetched anew, once, and that is told [N3]") {
  enum class How { Whole, Tag, Size, Beyond };
  const How how = GENERATE(How::Whole, How::Tag, How::Size, How::Beyond);
  const std::string old = some_file('o'), now = some_file('n');
  bool changed = false;
  ListServer server([&](const std::string& head) -> std::string {
    const auto range = range_in(head);
    if (!range) return whole_reply(std::exchange(changed, true) ? now : old);
    if (how == How::Whole) return right_reply(head, now);
    if (how == How::Beyond) return reply("416 Range Not Satisfiable", "", "");
    const std::string total = how == How::Size ? "4001" : "4000";
    const std::string tag = how == How::Tag ? tag_of(now) : tag_of(old);
    return reply("206 Partial Content",
                 "ETag: " + tag + "\r\nContent-Range: bytes " + std::to_string(range->first) + "-" +
                     std::to_string(range->last) + "/" + total + "\r\n",
                 now.substr(range->first, range->last - range->first + 1));
  });
  DownloadBench bench(server);
  divide_from_1000(bench);
  std::string told;
  bench.options.on_line = [&](const LineEnd& end) { told = end.reason; };
  const auto tally = bench.run(server.url("/f"));
  CHECK(tally.fetched == 1);
  CHECK(tally.anew == 1);
  CHECK(told == "it changed while it was fetched, and was fetched anew");
  CHECK(bench.file("f") == now);
  CHECK(bench.names() == std::vector<std::string>{"f"});
}

TEST_CASE("a server that promises ranges and gives none is asked for the whole") {
  const std::string file = some_file();
  ListServer server([&](const std::string&) { return whole_reply(file); });
  DownloadBench bench(server);
  divide_from_1000(bench);
  const auto tally = bench.run(server.url("/f"));
  CHECK(tally.fetched == 1);
  CHECK(tally.anew == 0);
  CHECK(bench.file("f") == file);
  CHECK(bench.names() == std::vector<std::string>{"f"});
  CHECK(server.heads().size() <= 5);
}

TEST_CASE("without ranges or a strong validator there is one request") {
  const std::string fields =
      GENERATE("ETag: \"x\"\r\n", "Accept-Ranges: none\r\nETag: \"x\"\r\n",
               "Accept-Ranges: bytes\r\nETag: W/\"x\"\r\n", "Accept-Ranges: bytes\r\n");
  const std::string file = some_file();
  ListServer server([&](const std::string&) { return reply("200 OK", fields, file); });
  DownloadBench bench(server);
  divide_from_1000(bench);
  CHECK(bench.run(server.url("/f")).fetched == 1);
  CHECK(bench.file("f") == file);
  CHECK(server.heads().size() == 1);
}

TEST_CASE("joined ranges that are not the file of the list are not published") {
  const std::string file = some_file();
  ListServer server([&](const std::string& head) { return right_reply(head, file); });
  DownloadBench bench(server);
  divide_from_1000(bench);
  const auto tally =
      bench.run("url,sha256\n" + server.url("/f") + "," + to_hex(sha256("other")) + "\n");
  CHECK(tally.failed == 1);
  REQUIRE(bench.failures.size() == 1);
  CHECK(bench.failures[0].reason.find("SHA-256") != std::string::npos);
  CHECK(bench.names().empty());
}

TEST_CASE("a validator is strong as RFC 9110 has it") {
  const auto strong = [](Headers headers) { return has_strong_validator(head_with(headers)); };
  const std::pair<std::string, std::string> changed{"last-modified",
                                                    "Sun, 06 Nov 1994 08:49:37 GMT"};
  CHECK(strong({{"etag", "\"x\""}}));
  CHECK_FALSE(strong({{"etag", "W/\"x\""}}));
  CHECK_FALSE(strong({changed}));
  CHECK_FALSE(strong({changed, {"date", "Sun, 06 Nov 1994 08:50:36 GMT"}}));
  CHECK(strong({changed, {"date", "Sun, 06 Nov 1994 08:50:37 GMT"}}));
  CHECK_FALSE(strong({}));
}
