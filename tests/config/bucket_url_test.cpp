#include "config/bucket_url.hpp"

#include <algorithm>

#include "config/load.hpp"
#include "platform/base/native_path.hpp"
#include "tests/config/native_text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using test::native_text;

namespace {

const Surroundings kAround{"/home/ann", "/home/ann/.local/state/millrace", true};

constexpr std::string_view kFolder = "[[folder]]\nname = \"a\"\nto = [\"webp\"]\n";

LoadResult load(const std::string& toml) {
  return load_settings(toml, "/etc/m/config.toml", kAround);
}

std::string problems(const std::string& toml) {
  const auto loaded = load(toml);
  return loaded ? "" : to_text(loaded.error(), "c");
}

std::string folder(const std::string& inbox, const std::string& outbox,
                   const std::string& more = "") {
  return std::string(kFolder) + "inbox = \"" + inbox + "\"\noutbox = \"" + outbox + "\"\n" + more;
}

void check_said(const std::string& toml, std::string_view part) {
  const std::string said = problems(toml);
  INFO(said);
  CHECK(said.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a bucket's URL is read, and written so that equal places are equal texts") {
  for (const auto& [text, url] : std::vector<std::pair<std::string, BucketUrl>>{
           {"s3://bkt", {"default", "bkt", ""}},
           {"s3://bkt/", {"default", "bkt", ""}},
           {"s3://eu@bkt/in", {"eu", "bkt", "in/"}},
           {"s3://eu@bkt/in/a b/", {"eu", "bkt", "in/a b/"}},
           {"s3://Old_Bucket.x/p", {"default", "Old_Bucket.x", "p/"}}}) {
    INFO(text);
    const auto parsed = parse_bucket_url(text);
    REQUIRE(parsed);
    REQUIRE(*parsed);
    CHECK(**parsed == url);
    CHECK(bucket_of(place_of(url)) == url);
  }
  CHECK(place_of({"default", "bkt", ""}) == native_path("s3://default@bkt"));
  CHECK_FALSE(parse_bucket_url("/data/s3"));
  CHECK_FALSE(bucket_of("/data/s3"));
  CHECK(parse_bucket_url("S3://eu@bkt/in")->value() == BucketUrl{"eu", "bkt", "in/"});
  CHECK_FALSE(parse_bucket_url("s3"));
  CHECK_FALSE(parse_bucket_url("./s3:/x"));
  for (const char* bad :
       {"s3:/", "s3:/bkt/p", "S3:/bkt", "s3://", "s3:///p", "s3://@bkt/", "s3://eu@/p", "s3://b?t/",
        "s3://b..t/", "s3://bkt//p", "s3://bkt/../p", "s3://bkt/p/./q", "s3://bkt/p//"}) {
    INFO(bad);
    const auto parsed = parse_bucket_url(bad);
    REQUIRE(parsed);
    CHECK_FALSE(*parsed);
  }
}

TEST_CASE("what lies beside a prefix is in the same bucket, and nothing lies beside a bucket") {
  CHECK(place_beside(native_path("s3://eu@bkt/a/in"), "archive") ==
        native_path("s3://eu@bkt/a/archive"));
  CHECK(place_beside(native_path("s3://eu@bkt/in"), "archive") ==
        native_path("s3://eu@bkt/archive"));
  CHECK(place_beside(native_path("s3://eu@bkt"), "archive").empty());
  CHECK(place_beside("/data/in", "archive") == "/data/archive");
}

TEST_CASE("a store is read with its defaults, and inbox and outbox name it") {
  const auto settings = load(
      "[s3.eu]\nendpoint = \"https://s3.example:8443/\"\nregion = \"eu-central-1\"\n"
      "style = \"host\"\naccess_key_id = { file = \"id\" }\n"
      "secret_access_key = { secret = \"s3\" }\nca_file = \"~/ca.pem\"\n[s3.other]\n" +
      folder("/i", "s3://eu@bkt/out/") + "[[folder]]\nname = \"b\"\nto = [\"webp\"]\n" +
      "inbox = \"/j\"\noutbox = \"s3://bkt2/out\"\n");
  REQUIRE(settings);
  const S3Settings* store = settings->store("eu");
  REQUIRE(store);
  CHECK(store->style == S3Style::Host);
  CHECK(store->access_key_id == SecretRef{SecretRef::Where::File, native_text("/etc/m/id")});
  CHECK(store->secret_access_key == SecretRef{SecretRef::Where::Store, "s3"});
  CHECK(store->ca_file == native_text("/home/ann/ca.pem"));
  CHECK(settings->store("other")->region == "us-east-1");
  CHECK_FALSE(settings->store("other")->style);
  CHECK(settings->folders[0].outbox == native_path("s3://eu@bkt/out"));
  CHECK(settings->folders[1].outbox == native_path("s3://default@bkt2/out"));
}

TEST_CASE("a bucket is never taken for a folder, nor a slip for a bucket") {
  for (const char* inbox : {"s3://bkt/in", "S3://bkt/in"})
    CHECK(load(folder(inbox, "/o"))->folders[0].inbox == native_path("s3://default@bkt/in"));
  for (const char* slip : {"s3:/bkt/out", "s3:///out", "S3:/bkt"}) {
    check_said(folder("/i", slip), "c:5:10: `outbox` must name a bucket, as in");
    check_said(folder(slip, "/o"), "c:4:9: `inbox` must name a bucket, as in");
    check_said(folder("/i", "/o", std::string("archive = \"") + slip + "\"\n"),
               "c:6:11: `archive` must name a bucket, as in");
  }
  check_said("[agent]\nstate_dir = \"s3://bkt/state\"\n",
             "c:2:13: `state_dir` must be a path of this machine, not a bucket");
  check_said("[agent]\nlog_file = \"s3://bkt/log\"\n", "c:2:12: `log_file` must be a path of");
}

TEST_CASE("a build without S3 refuses buckets") {
  Surroundings without = kAround;
  without.has_buckets = false;
  const auto loaded =
      load_settings(folder("s3://bkt/in", "s3://bkt/out"), "/etc/m/config.toml", without);
  REQUIRE_FALSE(loaded);
  const std::string said = to_text(loaded.error(), "c");
  INFO(said);
  for (const char* part : {"c:4:9: `inbox` must be a folder: there is no S3 in this build",
                           "c:5:10: `outbox` must be a folder: there is no S3 in this build"})
    CHECK(said.find(part) != std::string::npos);
  CHECK(load_settings(folder("/i", "/o"), "/etc/m/config.toml", without));
}

TEST_CASE("what is wrong with a store or a bucket is said with line and column") {
  check_said("[s3.a]\nstyle = \"dns\"\n" + folder("/i", "/o"),
             "c:2:9: `style` must be one of \"path\", \"host\"");
  check_said("[s3.a]\nendpont = \"https://x\"\n" + folder("/i", "/o"),
             "c:2:11: unknown key `endpont`; did you mean `endpoint`?");
  check_said("[s3.a]\nsecret_access_key = \"abc\"\n" + folder("/i", "/o"), "c:2:21: ");
  check_said("s3 = 1\n" + folder("/i", "/o"), "c:1:6: `s3` needs a name: write [s3.NAME]");
  check_said(folder("s3://bkt/../x", "/o"), "c:4:9: `inbox` must have a prefix of parts");
  check_said("[s3.a]\nendpoint = \"http://s3.example\"\n" + folder("/i", "/o"), "is not encrypted");
  check_said("[s3.a]\nendpoint = \"https://s3.example/bkt\"\n" + folder("/i", "/o"),
             "c:1:1: store `a`: `endpoint` must be a host and a port");
  check_said("[s3.a]\nregion = \"EU\"\n" + folder("/i", "/o"), "`region` must be letters");
  check_said("[s3.a]\naccess_key_id = { env = \"K\" }\n" + folder("/i", "/o"), "belong together");
  check_said(
      "[s3.a]\nprofile = \"p\"\naccess_key_id = { env = \"K\" }\n"
      "secret_access_key = { env = \"S\" }\n" +
          folder("/i", "/o"),
      "keep one");
  CHECK(problems("[s3.a]\nendpoint = \"http://127.0.0.1:9000\"\n" + folder("/i", "/o")) == "");
}

TEST_CASE("a bucket is a place like any other: beneath itself, twice or in a ring is refused") {
  check_said(folder("s3://eu@bkt/in", "/o"), "there is no [s3.eu]");
  CHECK(problems(folder("/i", "s3://bkt/out")) == "");
  check_said(folder("/i", "s3://eu@bkt/out"), "there is no [s3.eu]");
  CHECK(problems(folder("s3://bkt/in", "s3://bkt/out")) == "");
  CHECK(problems(folder("s3://bkt/in", "s3://bkt/inner")) == "");
  check_said(folder("s3://bkt/in/", "s3://default@bkt/in/x"), "lies in its own inbox");
  check_said(folder("s3://bkt", "s3://bkt/out"), "lies in its own inbox");
  check_said(folder("s3://bkt/in", "/o") +
                 "[[folder]]\nname = \"b\"\nto = [\"jpg\"]\n"
                 "inbox = \"/o\"\noutbox = \"s3://bkt/in\"\n",
             "come back to it");
}

TEST_CASE("nothing is waited for in a bucket") {
  check_said(folder("s3://bkt/in", "/o", "settle = \"3s\"\n"), "`settle` is for folders");
  check_said(folder("s3://bkt/in", "/o", "ready_marker = \"{name}.ok\"\n"),
             "`ready_marker` is for folders");
  CHECK(problems(folder("s3://bkt/in", "/o", "poll = \"5s\"\n")) == "");
}

TEST_CASE("what leaves a bucket stays in it, and what leaves a folder stays in folders") {
  const std::string archive = "after = \"archive\"\n";
  CHECK(problems(folder("s3://bkt/in", "/o", archive)) == "");
  check_said(folder("s3://bkt/in", "/o", archive + "archive = \"/done\"\n"),
             "`archive` must lie in the bucket of the inbox");
  check_said(folder("s3://bkt/in", "/o", archive + "archive = \"s3://bkt2/done\"\n"),
             "`archive` must lie in the bucket of the inbox");
  check_said(folder("s3://bkt", "/o", archive), "`archive` must lie in the bucket of the inbox");
  check_said(folder("/i", "/o", "failed = \"quarantine\"\nquarantine = \"s3://bkt/bad\"\n"),
             "`quarantine` must lie in a folder");
  check_said(folder("s3://bkt/in", "/o", "ready_marker = \"{name}.ready\"\n"), "`ready_marker`");
}
