#include "agent/deliver/shared_names.hpp"

#include <map>

#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

std::map<Name, NameUse> uses(std::string_view output, std::vector<Name> names) {
  std::ranges::sort(names);
  std::map<Name, NameUse> uses;
  SharedNames shared(output, [&](const Candidate& source, NameUse use) {
    CHECK(uses.emplace(source.name, use).second);
  });
  for (const Name& name : names) REQUIRE(shared.add({"photos", name, 1, "v"}));
  shared.finish();
  return uses;
}

constexpr auto kAlone = NameUse::Alone;
constexpr auto kDoubtful = NameUse::Doubtful;

}  // namespace

TEST_CASE("sources that differ in their extension only share a name, however far apart they lie") {
  using Uses = std::map<Name, NameUse>;
  CHECK(uses("{stem}.{to}", {"a.jpg", "a.m.jpg", "a.m.png", "a.png", "a-b.png", "ab.png"}) ==
        Uses{{"a.jpg", kDoubtful},
             {"a.m.jpg", kDoubtful},
             {"a.m.png", kDoubtful},
             {"a.png", kDoubtful},
             {"a-b.png", kAlone},
             {"ab.png", kAlone}});
  CHECK(uses("{stem}.{to}", {"a", "a/b.png", "a-b", "a.png", "x/a.png"}) ==
        Uses{{"a", kDoubtful},
             {"a/b.png", kAlone},
             {"a-b", kAlone},
             {"a.png", kDoubtful},
             {"x/a.png", kAlone}});
}

TEST_CASE("a name that may be another source's second choice is shared") {
  const auto found = uses("{stem}.{to}", {"a.jpg", "a.jpg.png", "a.jpgs.png"});
  CHECK(found.at("a.jpg.png") == kDoubtful);
  CHECK(found.at("a.jpg") == kAlone);
  CHECK(found.at("a.jpgs.png") == kAlone);
}

TEST_CASE("with the whole name in it no name is shared, with a template of people any may be") {
  CHECK(uses("{name}.{to}", {"a.jpg", "a.png"}).at("a.png") == kAlone);
  CHECK(uses("{ext}/{stem}.{to}", {"a.jpg"}).at("a.jpg") == kDoubtful);
}

TEST_CASE("what is held does not grow with the listing, but with the length of one name") {
  std::size_t given = 0;
  SharedNames shared("{stem}.{to}", [&](const Candidate&, NameUse) { ++given; });
  std::size_t added = 0;
  for (std::size_t length = 1; length <= 1'024; ++length, ++added)
    REQUIRE(shared.add({"f", Name(length, 'a'), 1, "v"}));
  CHECK(shared.waiting() <= 1'024);
  for (int i = 100'000; i < 200'000; ++i, ++added) {
    REQUIRE(shared.add({"f", "b." + std::to_string(i), 1, "v"}));
    REQUIRE(shared.waiting() <= 3);
  }
  shared.finish();
  CHECK(given == added);
}

TEST_CASE("a listing in another order is refused, since what is shared would be missed") {
  SharedNames shared("{stem}.{to}", [](const Candidate&, NameUse) {});
  REQUIRE(shared.add({"f", "b", 1, "v"}));
  REQUIRE(shared.add({"f", "\xc3\xa4", 1, "v"}));  // bytes are compared without a sign
  const auto refused = shared.add({"f", "a", 1, "v"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Configuration);
}
