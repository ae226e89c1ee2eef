// What a bucket as inbox asks of the store, request by request.
#include "agent/watch/bucket_source.hpp"

#include "tests/s3/fake_s3.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr const char* kNote = "{\"reason\":\"it is broken\"}\n";

struct SourceBench : S3Bench {
  std::unique_ptr<Source> source =
      make_bucket_source({"s3://t@bkt/in/", "in/", "done/", "bad/", {}},
                         std::shared_ptr<S3Client>(&s3, [](S3Client*) {}));
  Candidate candidate{"f", "a.png", 0, "e1"};

  void is(const char* etag) { server.then(200).headers = {{"ETag", etag}}; }
  void is_copied() {
    is("e1");          // the source, before
    server.then(404);  // the target
    server.then(200, "<CopyObjectResult><ETag>\"e1\"</ETag></CopyObjectResult>");
    is("e1");  // the source, after
  }
  void is_removed() {
    is("e1");
    server.then(204);
  }
  Result<std::string> shelve() { return source->shelve(candidate, Shelf::Quarantine, kNote); }
  // What was asked of keys with a note's ending.
  std::string asked_of_notes() {
    std::string all;
    for (const ServerRequest& request : server.asked())
      if (request.path.ends_with(".json"))
        all += request.method + ' ' + request.path.substr(std::string("/bkt/bad/").size()) +
               (request.header("if-none-match") == "*" ? " if none, " : ", ");
    return all;
  }
};

}  // namespace

TEST_CASE("a note is put where there is nothing, whatever conditions the store knows [P3]") {
  for (const bool knows : {true, false}) {
    SourceBench bench;
    bench.is_copied();
    bench.server.then(404, error_body("NoSuchKey"));
    if (!knows) bench.server.then(501, error_body("NotImplemented"));
    bench.server.then(200);
    bench.is_removed();
    CHECK(bench.shelve() == "bad/a.png");
    CHECK(bench.asked_of_notes() == (knows ? "GET a.png.error.json, PUT a.png.error.json if none, "
                                           : "GET a.png.error.json, PUT a.png.error.json if none, "
                                             "PUT a.png.error.json, "));
    CHECK(bench.server.asked().back().method == "DELETE");
  }
}

TEST_CASE("a note of our bytes that is there counts as written, any other stays [P3]") {
  for (const bool in_that_moment : {false, true}) {
    SourceBench bench;
    bench.is_copied();
    if (in_that_moment) {
      bench.server.then(404, error_body("NoSuchKey"));
      bench.server.then(412, error_body("PreconditionFailed"));
    }
    bench.server.then(200, kNote + std::string("and more"));
    bench.server.then(200, std::string(kNote).substr(0, 5));  // (2)
    bench.server.then(200, kNote);                            // (3)
    bench.is_removed();
    CHECK(bench.shelve() == "bad/a.png");
    const std::string looked =
        "GET a.png.error.json, GET a.png.error (2).json, GET a.png.error (3).json, ";
    const std::string tried = "GET a.png.error.json, PUT a.png.error.json if none, ";
    CHECK(bench.asked_of_notes() == (in_that_moment ? tried + looked : looked));
  }
}

TEST_CASE("what is wrong with a note is not said of the source, which stays") {
  for (const int status : {404, 409, 412, 503}) {
    SourceBench bench;
    bench.is_copied();
    bench.server.then(status);  // no words: nobody knows what lies there
    const auto shelved = bench.shelve();
    REQUIRE_FALSE(shelved);
    CHECK(shelved.error().kind == ErrorKind::Environment);
    CHECK(bench.server.asked().size() == 5);
  }
}

TEST_CASE("a key that has no room for its note is not copied") {
  SourceBench bench;
  const std::string ending = ".error.json";
  bench.candidate.name = std::string(1024 - std::string("bad/").size() - ending.size() + 1, 'k');
  const auto shelved = bench.shelve();
  REQUIRE_FALSE(shelved);
  CHECK(shelved.error().kind == ErrorKind::Input);
  CHECK(bench.server.asked().empty());
  bench.candidate.name.pop_back();
  bench.is_copied();
  bench.server.then(404, error_body("NoSuchKey"));
  bench.server.then(200);
  bench.is_removed();
  CHECK(bench.shelve());
  // Without a note there is room for a longer one.
  bench.candidate.name = std::string(1000, 'k') + "0123456789";
  bench.is_copied();
  bench.is_removed();
  CHECK(bench.source->shelve(bench.candidate, Shelf::Archive, ""));
}
