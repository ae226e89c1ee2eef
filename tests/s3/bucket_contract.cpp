// What a bucket promises as inbox and as outbox, against a real server: client_contract_test.py
// starts one and says where it is. Each case has a bucket of its own.
#include <map>

#include "agent/deliver/bucket_listing.hpp"
#include "agent/deliver/bucket_outbox.hpp"
#include "agent/deliver/naming.hpp"
#include "agent/deliver/object_upload.hpp"
#include "agent/deliver/upload_note.hpp"
#include "agent/watch/bucket_source.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/path_text.hpp"
#include "tests/s3/real_bucket.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string hash(std::string_view text) { return to_hex(sha256(text)); }

struct Inbox : Bench {
  std::unique_ptr<Source> source =
      make_bucket_source({"s3://t@b/in/", "in/", "done/", "bad/", {}}, s3);
  Candidate drop(const Name& name, std::string_view content) {
    const Stored stored = put("in/" + name, content);
    return {"f", name, content.size(), stored.etag};
  }
  std::string read_all(SourceReader& reader) {
    std::string text;
    std::array<std::byte, 100> buffer;
    for (;;) {
      const auto got = reader.read(buffer);
      if (!got) return "error: " + std::string(to_string(got.error().kind));
      if (*got == 0) return text;
      text.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  }
  std::string read_all(const Candidate& candidate) {
    const auto reader = source->open(candidate);
    REQUIRE(reader);
    return read_all(**reader);
  }
  void keep_versions() {
    const UploadBody on = body_of(
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Status>Enabled</Status></VersioningConfiguration>");
    S3Sender sender(*http, keys, clock, place);
    REQUIRE(sender.send({.method = "PUT", .query = {{"versioning", ""}}, .body = &on}, {}));
  }
  // What somebody gets who has nothing but the link.
  std::string fetch(const std::string& link) {
    HttpRequest request;
    request.method = "GET";
    request.url = link;
    request.ca_file = place.ca_file;
    return run(*http, request).body;
  }
  std::map<std::string, std::uint64_t> listed() {
    std::map<std::string, std::uint64_t> all;
    const auto end = s3->list({},
                              [&](ListedObject object) -> Result<void> {
                                all[object.key] = object.size;
                                return {};
                              },
                              {});
    REQUIRE(end);
    return all;
  }
};

struct Outlet : Inbox {
  Scratch spool;
  BucketOutboxSettings settings{"s3://t@b/out/", "out/", "test", 64'000'000, {}};
  std::unique_ptr<Outbox> outbox = open();
  std::unique_ptr<Outbox> open() {
    auto opened = open_bucket_outbox(settings, s3, real_file_system(), spool.path());
    REQUIRE(opened);
    return std::move(*opened);
  }
  std::unique_ptr<OutputFile> finished(const Name& name, std::string_view content) {
    auto file = outbox->begin(name, 7);
    REQUIRE(file);
    REQUIRE((*file)->write(bytes(content)));
    REQUIRE((*file)->finish());
    return std::move(*file);
  }
  std::size_t spooled() {
    const std::filesystem::directory_iterator files(spool.path());
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
};

}  // namespace

TEST_CASE("an object is read in the version that was listed, and from its first byte again [N3]") {
  Inbox inbox;
  const Candidate a = inbox.drop("a.png", std::string(1'000, 'a'));
  const auto reader = inbox.source->open(a);
  REQUIRE(reader);
  CHECK((*reader)->size() == 1'000);
  CHECK(inbox.read_all(**reader) == std::string(1'000, 'a'));
  REQUIRE((*reader)->rewind());
  CHECK(inbox.read_all(**reader) == std::string(1'000, 'a'));
  CHECK((*reader)->check_unchanged());
  CHECK(inbox.source->check(a));

  const Candidate b = inbox.drop("a.png", std::string(1'000, 'b'));
  CHECK((*reader)->check_unchanged().error().kind == ErrorKind::Changed);
  CHECK(inbox.source->check(a).error().kind == ErrorKind::Changed);
  CHECK(inbox.read_all(a) == "error: changed");
  REQUIRE((*reader)->rewind());
  CHECK(inbox.read_all(**reader) == "error: changed");
  CHECK(inbox.source->remove(a).error().kind == ErrorKind::Changed);
  CHECK(inbox.source->shelve(a, Shelf::Archive, "").error().kind == ErrorKind::Changed);
  CHECK(inbox.read_all(b) == std::string(1'000, 'b'));
  REQUIRE(inbox.source->remove(b));
  CHECK(inbox.source->check(b).error().kind == ErrorKind::Vanished);
  CHECK(inbox.read_all(b) == "error: vanished");
}

TEST_CASE("a link leads to the version that was listed, for ever where versions are kept [N3]") {
  Inbox inbox;
  const bool keeps_versions = GENERATE(false, true);
  // Swift has another ETag for what is put while it keeps versions than HEAD tells of it.
  if (keeps_versions && !keeps_conditions()) return;
  if (keeps_versions) inbox.keep_versions();
  const Candidate a = inbox.drop("a +.png", "first");
  const auto reader = inbox.source->open(a);
  REQUIRE(reader);
  const auto link = (*reader)->link(std::chrono::seconds{60});
  REQUIRE(link);
  CHECK(link->names_version == keeps_versions);
  CHECK(inbox.fetch(link->url) == "first");
  const std::string name = (*reader)->content_name();
  CHECK(name.find("a +.png") != std::string::npos);
  CHECK((*inbox.source->open(a))->content_name() == name);

  const Candidate b = inbox.drop("a +.png", "again");
  CHECK(inbox.fetch(link->url) == (keeps_versions ? "first" : "again"));
  CHECK((*reader)->link(std::chrono::seconds{60}).error().kind == ErrorKind::Changed);
  CHECK((*inbox.source->open(b))->content_name() != name);
}

TEST_CASE("a bucket that is not there is a trouble of the place, and costs no attempt") {
  Inbox inbox;
  BucketPlace away = inbox.place;
  away.bucket += "-away";
  const auto source =
      make_bucket_source({"s3://t@away/", "", "", "", {}},
                         std::make_shared<S3Client>(*inbox.http, inbox.keys, inbox.clock, away));
  const auto reader = source->open({"f", "a.png", 1, "e"});
  REQUIRE(reader);
  std::array<std::byte, 10> buffer;
  CHECK((*reader)->read(buffer).error().kind == ErrorKind::Environment);
}

TEST_CASE("what is archived is copied first, under a name of its own, and deleted last [P3]") {
  Inbox inbox;
  const Candidate first = inbox.drop("sub/a.png", "first");
  CHECK(inbox.source->shelve(first, Shelf::Archive, "") == "done/sub/a.png");
  const Candidate second = inbox.drop("sub/a.png", "second");
  CHECK(inbox.source->shelve(second, Shelf::Archive, "") == "done/sub/a (2).png");
  const Candidate third = inbox.drop("sub/b.png", "third");
  CHECK(inbox.source->shelve(third, Shelf::Quarantine, "{}") == "bad/sub/b.png");
  CHECK(inbox.listed() == std::map<std::string, std::uint64_t>{{"bad/sub/b.png", 5},
                                                               {"bad/sub/b.png.error.json", 2},
                                                               {"done/sub/a (2).png", 6},
                                                               {"done/sub/a.png", 5}});
  // Cut off between the copy and the rest.
  const Candidate fourth = inbox.drop("c.png", "fourth");
  inbox.put("done/c.png", "fourth");
  CHECK(inbox.source->shelve(fourth, Shelf::Archive, "") == "done/c.png");
  CHECK(inbox.listed().size() == 5);
}

TEST_CASE("a note takes no other object's place, and is written once [P3]") {
  Inbox inbox;
  const std::string theirs = "bad/a.b.png.error.json", ours = "bad/a.b.png.error (2).json";
  inbox.put(theirs, "theirs");
  const Candidate first = inbox.drop("a.b.png", "first");
  CHECK(inbox.source->shelve(first, Shelf::Quarantine, "{why}") == "bad/a.b.png");
  CHECK(inbox.read(theirs) == "theirs");
  CHECK(inbox.read(ours) == "{why}");
  CHECK(inbox.s3->head(ours, "", {})->content_type == "application/json");
  // Cut off behind the note.
  const Candidate again = inbox.drop("a.b.png", "first");
  CHECK(inbox.source->shelve(again, Shelf::Quarantine, "{why}") == "bad/a.b.png");
  CHECK(inbox.listed() ==
        std::map<std::string, std::uint64_t>{{"bad/a.b.png", 5}, {theirs, 6}, {ours, 5}});
}

TEST_CASE("every key is read, converted to a name beneath the outbox, and archived [K7] [P9]") {
  Outlet bench;
  std::map<std::string, std::string> results;
  for (std::string key : odd_keys()) {
    key.resize(std::min<std::size_t>(key.size(), 1'000));
    INFO(key);
    const Candidate candidate = bench.drop(key, "bytes of " + key);
    CHECK(bench.read_all(candidate) == "bytes of " + key);
    const Name name = output_name({"{stem}.{to}", key, "webp"}, 1);
    CHECK(check_relative_name(name));
    REQUIRE(bench.finished(name, key)->commit(std::nullopt));
    CHECK(results.emplace("out/" + name, key).second);
    CHECK(bench.source->shelve(candidate, Shelf::Archive, "") == "done/" + key);
  }
  for (const auto& [name, content] : results) CHECK(bench.read(name) == content);
  for (const auto& [key, size] : bench.listed())
    CHECK((key.starts_with("out/") || key.starts_with("done/")));
}

TEST_CASE("a result is there whole or not at all, and nothing else is overwritten [P2] [N4]") {
  Outlet bench;
  CHECK_FALSE(bench.outbox->find("a.webp").value());
  {
    const auto left = bench.finished("a.webp", "left");
    CHECK(bench.spooled() == 1);
  }
  CHECK(bench.spooled() == 0);
  CHECK_FALSE(bench.outbox->find("a.webp").value());
  const auto identity = bench.finished("a.webp", "whole")->commit(std::nullopt);
  REQUIRE(identity);
  CHECK(identity->size == 5);
  CHECK(bench.outbox->find("a.webp").value() == *identity);
  CHECK(bench.s3->head("out/a.webp", "", {})->content_type == "image/webp");
  CHECK(bench.finished("a.webp", "other")->commit(std::nullopt).error().kind == ErrorKind::Exists);
  CHECK(bench.read("out/a.webp") == "whole");
  // What is ours may be replaced, and what somebody changed may not.
  const auto newer = bench.finished("a.webp", "newer")->commit(*identity);
  REQUIRE(newer);
  CHECK(bench.finished("a.webp", "lost")->commit(*identity).error().kind == ErrorKind::Exists);
  CHECK(bench.read("out/a.webp") == "newer");
  CHECK(bench.spooled() == 0);
  CHECK(bench.listed().size() == 1);  // the probe is gone
}

TEST_CASE("a delivery that was cut off is taken up where it was [P5]") {
  Outlet bench;
  const auto cut_off = [&](const Name& name, std::string_view content) {
    const auto file = bench.finished(name, content);
    file->keep();
    return file->temporary_name();
  };
  // Before it was sent.
  const Name early = cut_off("a.webp", "paid for");
  bench.outbox = bench.open();
  const auto sent = bench.outbox->adopt(early, "a.webp", hash("paid for"), 8, std::nullopt);
  REQUIRE(sent);
  REQUIRE(*sent);
  CHECK(bench.read("out/a.webp") == "paid for");
  CHECK(bench.spooled() == 0);
  // After it was sent.
  const Name late = cut_off("a.webp", "paid for");
  CHECK(bench.outbox->adopt(late, "a.webp", hash("paid for"), 8, std::nullopt).value() == *sent);
  CHECK(bench.spooled() == 0);
  // While it was written; the spool is gone; other bytes are there.
  const Name beginning = cut_off("b.webp", "pai");
  CHECK_FALSE(bench.outbox->adopt(beginning, "b.webp", hash("paid for"), 8, {}).value());
  CHECK_FALSE(bench.outbox->adopt("gone", "b.webp", hash("paid for"), 8, {}).value());
  const Name changed = cut_off("b.webp", "paid FOR");
  CHECK_FALSE(bench.outbox->adopt(changed, "b.webp", hash("paid for"), 8, {}));
  CHECK_FALSE(bench.outbox->find("b.webp").value());
  static_cast<void>(cut_off("c.webp", "left"));
  bench.outbox = bench.open();
  CHECK(bench.outbox->remove_leftovers("c.webp")->left == 0);
  CHECK(bench.spooled() == 0);
}

TEST_CASE("a large result goes in parts, and is seen when it is whole [N8]") {
  Outlet bench;
  bench.settings.parts_above = 1'000'000;
  bench.outbox = bench.open();
  std::string content(17 * 1024 * 1024, 'x');
  content += "end";
  const auto identity = bench.finished("big.pdf", content)->commit(std::nullopt);
  REQUIRE(identity);
  CHECK(identity->size == content.size());
  CHECK(bench.s3->head("out/big.pdf", "", {})->content_type == "application/pdf");
  CHECK(hash(bench.read("out/big.pdf")) == hash(content));
  // The same again is ours, other bytes are not.
  CHECK(bench.finished("big.pdf", content)->commit(std::nullopt).value() == *identity);
  CHECK(bench.finished("big.pdf", "small")->commit(std::nullopt).error().kind == ErrorKind::Exists);
}

TEST_CASE("an object that somebody puts while parts are sent is not overwritten [P3] [N8]") {
  Outlet bench;
  // Before the first part is sent, and after we looked whether the name is free.
  struct Meddler final : UploadMemory {
    explicit Meddler(Outlet& outlet) : bench(outlet) {}
    Result<std::optional<std::string>> recall() override { return id; }
    Result<void> remember(const std::string& upload_id) override {
      id = last_id = upload_id;
      bench.put("out/big.pdf", "theirs");
      return {};
    }
    Result<void> forget() override {
      id.reset();
      return {};
    }
    Outlet& bench;
    std::optional<std::string> id;
    std::string last_id;
  } memory(bench);
  const std::string content = std::string(16 << 20, 'x') + "end";
  write_file(bench.spool / "big.pdf", content);
  const auto folder = real_file_system().open_directory(bench.spool.path()).value();
  const auto file = folder->open("big.pdf").value();
  ObjectUpload upload(bench.s3, "out/probe", 1'000'000, {});
  const LocalResult result{*file, content.size(), hash(content), memory};
  const auto sent = upload.put("out/big.pdf", result, std::nullopt);
  REQUIRE_FALSE(sent);
  INFO(sent.error().message);
  CHECK(sent.error().kind == ErrorKind::Exists);
  CHECK(bench.read("out/big.pdf") == "theirs");
  CHECK_FALSE(memory.id);
  REQUIRE_FALSE(memory.last_id.empty());
  CHECK(bench.s3->list_parts("out/big.pdf", memory.last_id, {}).error().kind ==
        ErrorKind::Vanished);
  CHECK(bench.listed().size() == 1);
}

TEST_CASE(
    "an upload in parts that was cut off is gone on with, and an orphan of ours aborted [N8]") {
  Outlet bench;
  bench.settings.parts_above = 1'000'000;
  bench.outbox = bench.open();
  const std::string content = std::string(16 << 20, 'x') + "end";
  const auto folder = real_file_system().open_directory(bench.spool.path()).value();
  const auto cut_off = [&](const Name& name) {
    const auto file = bench.finished(name, content);
    const auto id = bench.s3->begin_parts("out/" + name, {}, {});
    REQUIRE(id);
    REQUIRE(UploadNote(*folder, file->temporary_name(), "out/" + name).remember(*id));
    REQUIRE(bench.s3->put_part("out/" + name, *id, 1,
                               body_of(std::string_view(content).substr(0, 16 << 20)), {}));
    file->keep();
    return std::pair{file->temporary_name(), *id};
  };
  const auto is_open = [&](const std::string& key, const std::string& id) {
    const auto parts = bench.s3->list_parts(key, id, {});
    if (!parts) CHECK(parts.error().kind == ErrorKind::Vanished);
    return parts.has_value();
  };
  const auto [a, of_a] = cut_off("a.pdf");
  const auto [b, of_b] = cut_off("b.pdf");
  const auto of_others = bench.s3->begin_parts("out/b.pdf", {}, {});
  REQUIRE(of_others);
  CHECK(bench.s3->list_parts("out/a.pdf", of_a, {})->size() == 1);
  bench.outbox = bench.open();
  REQUIRE(bench.outbox->adopt(a, "a.pdf", hash(content), content.size(), {}).value());
  CHECK(hash(bench.read("out/a.pdf")) == hash(content));
  // Swift still tells the parts of one that was completed.
  if (keeps_conditions()) CHECK_FALSE(is_open("out/a.pdf", of_a));
  CHECK(is_open("out/b.pdf", of_b));
  CHECK(bench.outbox->remove_leftovers("")->left == 0);
  CHECK_FALSE(is_open("out/b.pdf", of_b));
  CHECK(is_open("out/b.pdf", *of_others));
  CHECK(bench.spooled() == 0);
}

TEST_CASE("what has no result is found by the listings of two prefixes, whatever the keys are") {
  Outlet bench;
  bench.put("in/", "");     // a folder, as consoles show it
  bench.put("inner", "x");  // not beneath the prefix
  std::map<Name, Candidate> missing;
  int number = 0;
  for (std::string key : odd_keys()) {
    key.resize(std::min<std::size_t>(key.size(), 1'000));
    const Candidate candidate = bench.drop(key, "x");
    const Name result = output_name({"{name}.{to}", key, "webp"}, 0);
    if (++number % 3 == 0)
      missing[key] = candidate;
    else
      bench.put("out/" + result, "result");
  }
  bench.put("out/somebody's", "x");
  BucketSources sources(bench.s3, {"in/", 4, {}}, "f",
                        [](const Name& name) { return name != "dir"; });
  BucketResults results(bench.s3, {"out/", 3, {}});
  MissingResults walk(sources, results, {"{name}.{to}", {"webp"}, 7}, [](auto candidates) {
    return std::vector<Wanted>(candidates.size(), Wanted::IfMissing);
  });
  missing.erase("dir");
  for (;;) {
    const auto some = walk.next();
    REQUIRE(some);
    if (some->empty()) break;
    for (const Candidate& found : *some) {
      INFO(found.name);
      REQUIRE(missing.contains(found.name));
      CHECK(found.version == missing.at(found.name).version);
      CHECK(found.size == 1);
      CHECK(found.folder == "f");
      missing.erase(found.name);
    }
  }
  CHECK(missing.empty());
}
