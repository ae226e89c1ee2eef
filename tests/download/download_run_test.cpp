#include "agent/download/download_run.hpp"

#include "agent/ledger/sqlite.hpp"
#include "tests/download/download_bench.hpp"

using namespace millrace;
using namespace millrace::test;
using Names = std::vector<std::string>;

namespace {

bool asks_for(const std::string& head, std::string_view path) {
  return head.starts_with("GET " + std::string(path) + " ");
}

std::string hash_of(std::string_view bytes) { return to_hex(sha256(bytes)); }

}  // namespace

TEST_CASE("a list is fetched once, and the same command asks for nothing more") {
  ListServer server([](const std::string& head) {
    return reply("200 OK", "Content-Disposition: attachment; filename=\"evil\"\r\n",
                 asks_for(head, "/a.txt") ? "first" : "second");
  });
  DownloadBench bench(server);
  const std::string list = server.url("/a.txt") + "\n" + server.url("/x/a.txt") + "\n" +
                           server.url("/c") + " sub/named.txt\nnonsense\n";
  const auto tally = bench.run(list);
  CHECK(tally.fetched == 3);
  CHECK(tally.failed == 1);
  CHECK(bench.file("a.txt") == "first");
  CHECK(bench.file("sub/named.txt") == "second");
  REQUIRE(bench.names().size() == 3);
  CHECK(bench.names()[1].starts_with("a~"));

  const auto again = bench.run(list);
  CHECK(again.fetched == 0);
  CHECK(again.skipped == 3);
  CHECK(server.heads().size() == 3);
}

TEST_CASE("an answer cut short and a connection that is reset are asked for again") {
  int asked = 0;
  ListServer server([&](const std::string&) -> std::string {
    if (++asked == 1) return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    if (asked == 2) return "";
    if (asked == 3) return reply("503 Busy", "", "");
    return reply("200 OK", "", "ten bytes!");
  });
  DownloadBench bench(server);
  const auto tally = bench.run(server.url("/f"));
  CHECK(tally.fetched == 1);
  CHECK(bench.file("f") == "ten bytes!");
  CHECK(bench.names() == Names{"f"});
}

TEST_CASE("the rest of a long file is asked for, and taken only if it is of the same file [N7]") {
  const bool changed = GENERATE(false, true);
  const std::string old(3000, 'o'), now = changed ? std::string(2500, 'n') : old;
  int asked = 0;
  ListServer server([&](const std::string& head) -> std::string {
    const std::string tag = "Accept-Ranges: bytes\r\nETag: \"" + hash_of(now) + "\"\r\n";
    if (++asked == 1)
      return "HTTP/1.1 200 OK\r\nETag: \"" + hash_of(old) + "\"\r\nContent-Length: 3000\r\n\r\n" +
             old.substr(0, 2000);
    const auto at = head.find("Range: bytes=");
    const bool same = head.find("If-Range: \"" + hash_of(now) + "\"") != head.npos;
    if (at == head.npos || !same) return reply("200 OK", tag, now);
    const auto from = std::stoull(head.substr(at + 13));
    return reply("206 Partial Content",
                 tag + "Content-Range: bytes " + std::to_string(from) + "-2999/3000\r\n",
                 now.substr(from));
  });
  DownloadBench bench(server);
  bench.options.fetch.resume_from = 1000;
  const auto tally = bench.run(server.url("/f"));
  CHECK(tally.fetched == 1);
  CHECK(bench.file("f") == now);
  CHECK(bench.names() == Names{"f"});
  const auto heads = server.heads();
  REQUIRE(heads.size() == 2);
  CHECK(heads[1].find("Range: bytes=2000-\r\n") != std::string::npos);
  CHECK(tally.bytes == (changed ? 4500 : 3000));
}

TEST_CASE("a range that is not the one asked for is never joined to what was kept") {
  const std::string whole(3000, 'w');
  int asked = 0;
  ListServer server([&](const std::string&) -> std::string {
    const std::string tag = "ETag: \"x\"\r\n";
    ++asked;
    if (asked == 1)
      return "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 3000\r\n\r\n" +
             whole.substr(0, 2000);
    if (asked == 2)
      return reply("206 Partial Content", tag + "Content-Range: bytes 1000-2999/3000\r\n",
                   std::string(2000, 'z'));
    if (asked == 3) return reply("416 Range Not Satisfiable", "", "");
    return reply("200 OK", tag, whole);
  });
  DownloadBench bench(server);
  bench.options.fetch.resume_from = 1000;
  bench.options.retry.quick_attempts = 10;
  CHECK(bench.run(server.url("/f")).fetched == 1);
  CHECK(bench.file("f") == whole);
  CHECK(server.heads().back().find("Range:") == std::string::npos);
}

TEST_CASE("a file that is not the one of the list is not published") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "wrong"); });
  DownloadBench bench(server);
  const auto tally = bench.run("url,sha256,size\n" + server.url("/a") + "," + hash_of("right") +
                               ",\n" + server.url("/b") + "," + hash_of("wrong") + ",5\n");
  CHECK(tally.fetched == 1);
  CHECK(tally.failed == 1);
  CHECK(bench.names() == Names{"b"});
  REQUIRE(bench.failures.size() == 1);
  CHECK(bench.failures[0].what == "a");
  CHECK(bench.failures[0].reason.find("SHA-256") != std::string::npos);
}

TEST_CASE("what the server will never give fails at once; what leads nowhere does too") {
  ListServer server([](const std::string& head) {
    if (asks_for(head, "/gone")) return reply("404 Not Found", "", "");
    if (asks_for(head, "/loop")) return reply("302 Found", "Location: /loop\r\n", "");
    if (asks_for(head, "/file")) return reply("302 Found", "Location: file:///etc/passwd\r\n", "");
    if (asks_for(head, "/moved?secret"))
      return reply("301 Moved", "Location: /here?token=1\r\n", "");
    return reply("200 OK", "", "here");
  });
  DownloadBench bench(server);
  const auto tally = bench.run(server.url("/gone") + "\n" + server.url("/loop") + "\n" +
                               server.url("/file") + "\n" + server.url("/moved?secret") + "\n");
  CHECK(tally.fetched == 1);
  CHECK(tally.failed == 3);
  CHECK(bench.names() == Names{"moved"});
  CHECK(server.heads().size() == 1 + 6 + 1 + 2);
  for (const auto& failure : bench.failures)
    CHECK(failure.reason.find("passwd") == std::string::npos);
}

TEST_CASE("an address that is not public is refused unless it is allowed [K9]") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "x"); });
  DownloadBench bench(server);
  bench.options.fetch.allow.clear();
  const auto tally = bench.run(server.url("/a") + "\nhttps://169.254.169.254/latest\n" +
                               "https://[::ffff:7f00:1]/x\nhttps://2130706433/x\n");
  CHECK(tally.failed == 4);
  CHECK(server.heads().empty());
}

TEST_CASE("a header of the settings goes to its place alone, wherever that leads [P8]") {
  ListServer other([](const std::string&) { return reply("200 OK", "", "x"); });
  ListServer server([&](const std::string& head) {
    if (asks_for(head, "/away"))
      return reply("302 Found", "Location: " + other.url("/there") + "\r\n", "");
    return reply("200 OK", "", "x");
  });
  DownloadBench bench(server);
  bench.options.fetch.allow.push_back(other.place());
  bench.options.fetch.headers = [&](const std::string& place) -> Result<Headers> {
    if (place != server.place()) return Headers{};
    return Headers{{"Authorization", "Bearer CANARY"}};
  };
  CHECK(bench.run(server.url("/a") + "\n" + server.url("/away") + "\n").fetched == 2);
  REQUIRE(server.heads().size() == 2);
  for (const auto& head : server.heads())
    CHECK(head.find("Authorization: Bearer CANARY\r\n") != head.npos);
  REQUIRE(other.heads().size() == 1);
  CHECK(other.heads()[0].find("CANARY") == std::string::npos);

  bench.options.fetch.headers = [](const std::string&) -> Result<Headers> {
    return fail(ErrorKind::Configuration, "TOKEN is not set");
  };
  CHECK(bench.run(server.url("/b")).failed == 1);
  CHECK(bench.failures[0].reason == "TOKEN is not set");
  CHECK(server.heads().size() == 2);
}

TEST_CASE("refresh asks whether a file has changed, and replaces none that is not ours") {
  std::string content = "one";
  ListServer server([&](const std::string& head) {
    const std::string tag = "\"" + content + "\"";
    if (head.find("If-None-Match: " + tag) != head.npos)
      return std::string("HTTP/1.1 304 Not Modified\r\n\r\n");
    return reply("200 OK", "ETag: " + tag + "\r\n", content);
  });
  DownloadBench bench(server);
  const std::string list = server.url("/f");
  CHECK(bench.run(list).fetched == 1);
  bench.options.refresh = Refresh::Yes;
  CHECK(bench.run(list).skipped == 1);
  content = "other";
  CHECK(bench.run(list).fetched == 1);
  CHECK(bench.file("f") == "other");
  CHECK(bench.run(list).skipped == 1);
  write_file(bench.path("f"), "by somebody");
  content = "third";
  CHECK(bench.run(list).failed == 1);
  CHECK(bench.file("f") == "by somebody");
}

TEST_CASE("a file that lies there already is left alone, and one that was deleted comes back") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "new"); });
  DownloadBench bench(server);
  std::filesystem::create_directories(bench.options.into);
  write_file(bench.path("f"), "old");
  CHECK(bench.run(server.url("/f")).skipped == 1);
  CHECK(bench.file("f") == "old");
  CHECK(bench.run(server.url("/g")).fetched == 1);
  std::filesystem::remove(bench.path("g"));
  CHECK(bench.run(server.url("/g")).fetched == 1);
  CHECK(bench.file("g") == "new");
}

TEST_CASE("a line that ends without a file keeps its name, also from lines of later runs") {
  ListServer server([](const std::string& head) {
    if (head.starts_with("GET /refused")) return reply("404 Not Found", "", "none");
    return reply("200 OK", "", "ours");
  });
  DownloadBench bench(server);
  const auto line = [&](const std::string& path) { return server.url(path) + " f\n"; };
  const bool is_taken = GENERATE(true, false);
  CAPTURE(is_taken);
  std::filesystem::create_directory(bench.options.into);
  if (is_taken) write_file(bench.path("f"), "theirs");
  const auto both = bench.run(line(is_taken ? "/first" : "/refused") + line("/second"));
  CHECK(both.skipped + both.failed == 1);
  CHECK(both.fetched == 1);
  std::filesystem::remove(bench.path("f"));
  CHECK(bench.run(line("/third")).fetched == 1);
  CHECK_FALSE(std::filesystem::exists(bench.path("f")));
  CHECK(bench.names().size() == 2);
}

TEST_CASE("a file that was deleted comes back, although the server is busy at first") {
  int asked = 0;
  ListServer server([&](const std::string& head) {
    if (++asked == 2) return reply("503 Busy", "", "");
    if (head.find("If-None-Match") != head.npos)
      return std::string("HTTP/1.1 304 Not Modified\r\n\r\n");
    return reply("200 OK", "ETag: \"1\"\r\n", "new");
  });
  DownloadBench bench(server);
  CHECK(bench.run(server.url("/f")).fetched == 1);
  std::filesystem::remove(bench.path("f"));
  CHECK(bench.run(server.url("/f")).fetched == 1);
  CHECK(bench.file("f") == "new");
  CHECK(asked == 3);
}

TEST_CASE("temporaries that no record needs are removed at the next start") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "new"); });
  DownloadBench bench(server);
  std::filesystem::create_directories(bench.options.into / "sub");
  write_file(bench.path("sub/.millrace-fetch-0123456789abcdef.tmp"), "left");
  write_file(bench.path("sub/.millrace-other-0123456789abcdef.tmp"), "not ours");
  CHECK(bench.run(server.url("/f")).fetched == 1);
  CHECK_FALSE(std::filesystem::exists(bench.path("sub/.millrace-fetch-0123456789abcdef.tmp")));
  CHECK(std::filesystem::exists(bench.path("sub/.millrace-other-0123456789abcdef.tmp")));
}

TEST_CASE("a line that stands twice in a list is asked for once") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "new"); });
  DownloadBench bench(server);
  std::string list;
  for (int i = 0; i < 20; ++i) list += server.url("/f") + "\n";
  const auto tally = bench.run(list);
  CHECK(tally.fetched == 1);
  CHECK(tally.skipped == 19);
  CHECK(tally.failed == 0);
  CHECK(server.heads().size() == 1);
}

TEST_CASE("every line tells how it ended, before the run is done") {
  ListServer server([](const std::string& head) {
    return asks_for(head, "/gone") ? reply("404 Not Found", "", "") : reply("200 OK", "", "four");
  });
  DownloadBench bench(server);
  std::mutex mutex;
  std::map<std::uint64_t, LineEnd> ends;
  bench.options.on_line = [&](const LineEnd& end) {
    const std::scoped_lock lock(mutex);
    ends[end.line] = end;
  };
  bench.run("# two\n" + server.url("/a") + "\nftp://x\n" + server.url("/gone") + "\n");
  REQUIRE(ends.size() == 3);
  CHECK(ends[2].how == LineEnd::How::Fetched);
  CHECK(ends[2].name == "a");
  CHECK(ends[2].size == 4u);
  CHECK(ends[2].sha256 == hash_of("four"));
  CHECK(ends[3].how == LineEnd::How::Failed);
  CHECK(ends[3].reason == "a URL must begin with https://");
  CHECK(ends[4].name == "gone");
  bench.run(server.url("/a"));
  CHECK(ends[1].how == LineEnd::How::Skipped);
  CHECK(ends[1].sha256 == hash_of("four"));
}

TEST_CASE("the SHA-256 of a file is taken where the list names one, or always") {
  const Hashing hashing = GENERATE(Hashing::IfListed, Hashing::Always);
  ListServer server([](const std::string&) { return reply("200 OK", "", "four"); });
  DownloadBench bench(server);
  bench.options.fetch.hashing = hashing;
  std::mutex mutex;
  std::map<std::uint64_t, LineEnd> ends;
  bench.options.on_line = [&](const LineEnd& end) {
    const std::scoped_lock lock(mutex);
    ends[end.line] = end;
  };
  bench.run("url,sha256\n" + server.url("/a") + "," + hash_of("four") + "\n" + server.url("/b") +
            ",\n" + server.url("/c") + "," + hash_of("five") + "\n");
  CHECK(ends[2].sha256 == hash_of("four"));
  CHECK(ends[3].how == LineEnd::How::Fetched);
  CHECK(ends[3].size == 4u);
  CHECK(ends[3].sha256 == (hashing == Hashing::Always ? hash_of("four") : ""));
  CHECK(ends[4].how == LineEnd::How::Failed);
}

TEST_CASE("a file that was handed on is not fetched again for the list that fetched it") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "new"); });
  DownloadBench bench(server);
  bench.options.list_id = "one";
  CHECK(bench.run(server.url("/f")).fetched == 1);
  std::filesystem::remove(bench.path("f"));
  CHECK(bench.run(server.url("/f")).skipped == 1);
  bench.options.list_id = "other";
  CHECK(bench.run(server.url("/f")).fetched == 1);
}

TEST_CASE("two lists at the same time into one folder ask for each file once") {
  ListServer server([](const std::string&) { return reply("200 OK", "", "new"); });
  DownloadBench bench(server);
  std::string list;
  for (int i = 0; i < 200; ++i) list += server.url("/" + std::to_string(i)) + "\n";
  auto records = DownloadRecords::open(bench.scratch / "downloads.db", bench.options.durable);
  REQUIRE(records);
  bench.options.records = *records;
  const SystemClock clock;
  std::istringstream first(list), second(list);
  auto one = DownloadRun::start(ListReader(first, "1"), bench.options, clock);
  auto two = DownloadRun::start(ListReader(second, "2"), bench.options, clock);
  REQUIRE((one && two));
  CHECK(eventually([&] { return (*one)->done() && (*two)->done(); }));
  CHECK((*one)->tally().fetched + (*two)->tally().fetched == 200);
  CHECK((*one)->tally().failed + (*two)->tally().failed == 0);
  CHECK(server.heads().size() == 200);
  CHECK(bench.names().size() == 200);
}

TEST_CASE("records of older versions are taken up") {
  const int version = GENERATE(1, 2, 3, 4);
  ListServer server([](const std::string&) { return reply("200 OK", "", "new"); });
  DownloadBench bench(server);
  CHECK(bench.run(server.url("/f")).fetched == 1);
  {
    auto database = sqlite::Database::open(bench.scratch / "downloads.db", sqlite::Access::Write,
                                           std::chrono::seconds{1});
    REQUIRE(database);
    REQUIRE(database->exec("ALTER TABLE file DROP COLUMN made;"));
    if (version < 4) {
      REQUIRE(database->exec(
          "ALTER TABLE file RENAME TO now; DROP INDEX file_open;"
          "CREATE TABLE file (key BLOB PRIMARY KEY, folded BLOB NOT NULL UNIQUE, name BLOB NOT "
          "NULL,"
          " state INTEGER NOT NULL, temporary BLOB NOT NULL, size INTEGER NOT NULL,"
          " sha256 BLOB NOT NULL, mtime INTEGER NOT NULL, etag BLOB NOT NULL,"
          " last_modified BLOB NOT NULL) STRICT, WITHOUT ROWID;"
          "CREATE INDEX file_open ON file(temporary) WHERE state IN (1, 2);"
          "INSERT INTO file SELECT key, folded, name, state, temporary, size, sha256, mtime, etag,"
          " last_modified FROM now; DROP TABLE now;"));
      for (const std::string column : {"list", "ranges"}) {
        if (version < (column == "list" ? 2 : 3)) continue;
        REQUIRE(database->exec("ALTER TABLE file ADD COLUMN " + column +
                               " BLOB NOT NULL DEFAULT x'';"));
      }
    }
    REQUIRE(database->exec("PRAGMA user_version=" + std::to_string(version)));
  }
  CHECK(bench.run(server.url("/f")).skipped == 1);
  CHECK(server.heads().size() == 1);
}
