#include "agent/deliver/missing_results.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "agent/deliver/naming.hpp"
#include "platform/base/text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

class ListedSources final : public SourceListing {
 public:
  ListedSources(const std::set<Name>& names, std::size_t page) : page_(page) {
    for (const Name& name : names) left_.push_back({"f", name, 1, "v"});
  }
  Result<std::vector<Candidate>> next_page() override {
    const auto end = left_.begin() + static_cast<std::ptrdiff_t>(std::min(page_, left_.size()));
    std::vector<Candidate> page(left_.begin(), end);
    left_.erase(left_.begin(), end);
    return page;
  }

 private:
  const std::size_t page_;
  std::vector<Candidate> left_;
};

class ListedResults final : public ResultListing {
 public:
  ListedResults(std::set<Name> names, std::size_t page) : names_(std::move(names)), page_(page) {}
  Result<Page> page_behind(const Name& name) override {
    ++requests;
    Page page;
    auto at = names_.upper_bound(name);
    for (; at != names_.end() && page.names.size() < page_; ++at) page.names.push_back(*at);
    page.is_last = at == names_.end();
    return page;
  }
  int requests = 0;

 private:
  const std::set<Name> names_;
  const std::size_t page_;
};

// What is not among them is wanted if it has no result.
using Wishes = std::map<Name, Wanted>;

Wanted wish_for(const Wishes& wishes, const Name& name) {
  const auto wish = wishes.find(name);
  return wish == wishes.end() ? Wanted::IfMissing : wish->second;
}

Choose chooser(const Wishes& wishes) {
  return [&wishes](std::span<const Candidate> sources) {
    std::vector<Wanted> answers;
    for (const Candidate& one : sources) answers.push_back(wish_for(wishes, one.name));
    return Result<std::vector<Wanted>>(std::move(answers));
  };
}

std::set<Name> missing(const std::set<Name>& sources, ResultListing& results, WalkRules rules,
                       std::size_t page = 3, const Wishes& wishes = {}) {
  ListedSources listing(sources, page);
  MissingResults walk(listing, results, std::move(rules), chooser(wishes));
  std::set<Name> all;
  for (;;) {
    const auto some = walk.next();
    REQUIRE(some);
    if (some->empty()) return all;
    for (const Candidate& one : *some) {
      INFO(printable(one.name));
      REQUIRE(all.insert(one.name).second);
    }
  }
}

Name choice(const Name& source, const std::string& to, int number) {
  return output_name({"{stem}.{to}", source, to}, number);
}

// Written apart from the walk: by comparing all with all.
std::set<Name> missing_by_all(const std::set<Name>& sources, const std::set<Name>& results,
                              const std::vector<std::string>& to, const Wishes& wishes) {
  std::set<Name> missing;
  for (const Name& source : sources) {
    if (wish_for(wishes, source) == Wanted::No) continue;
    if (wish_for(wishes, source) == Wanted::Yes) missing.insert(source);
    for (const std::string& format : to) {
      const Name wanted = choice(source, format, 0);
      const bool shared = std::ranges::any_of(sources, [&](const Name& other) {
        return other != source &&
               (choice(other, format, 0) == wanted || choice(other, format, 1) == wanted);
      });
      if (shared || !results.contains(wanted)) missing.insert(source);
    }
  }
  return missing;
}

Name name_of_pieces(std::mt19937& random) {
  static const std::vector<std::string> kPieces{"a",    "b",  "-",    ".", "/",    "?",    "%3F",
                                                "jpg",  "..", " ",    "!", "ä",    "\x7f", "con",
                                                ".png", "//", "\xff", "~", "webp", ".webp"};
  Name name;
  const auto count = 1 + random() % 5;
  for (std::size_t i = 0; i < count; ++i) name += kPieces[random() % kPieces.size()];
  return name;
}

}  // namespace

TEST_CASE("the walk finds what a comparison of all with all finds, in any order of the results") {
  std::mt19937 random(7);
  for (int round = 0; round < 3'000; ++round) {
    const std::vector<std::string> to =
        round % 3 == 0 ? std::vector<std::string>{"webp", "jpg"} : std::vector<std::string>{"webp"};
    std::set<Name> sources, results;
    for (auto count = random() % 30; count > 0; --count) sources.insert(name_of_pieces(random));
    for (const Name& source : sources)
      for (const std::string& format : to)
        if (random() % 3 != 0) results.insert(choice(source, format, 0));
    for (auto count = random() % 10; count > 0; --count) results.insert(name_of_pieces(random));
    Wishes wishes;
    for (const Name& source : sources) wishes[source] = static_cast<Wanted>(random() % 3);
    ListedResults listing(results, 1 + random() % 4);
    INFO("round " << round);
    REQUIRE(missing(sources, listing, {.to = to, .sources_held = 1 + random() % 9},
                    1 + random() % 4, wishes) == missing_by_all(sources, results, to, wishes));
  }
}

TEST_CASE("a result that comes after any number of others is found [P4]") {
  std::set<Name> sources{"a.png"}, results{"a.webp"};
  for (int i = 10'000; i < 15'000; ++i) {
    sources.insert("a.q" + std::to_string(i) + ".png");
    results.insert("a.q" + std::to_string(i) + ".webp");
  }
  ListedResults listing(results, 100);
  CHECK(missing(sources, listing, {.to = {"webp"}, .sources_held = 1'000}, 100).empty());
  CHECK(listing.requests <= 50 + 2 * 6);  // its pages, and two a handful
}

TEST_CASE("where the orders differ a handful is put in order, and still a page serves many") {
  std::set<Name> sources, results;
  for (int group = 100; group < 160; ++group) {
    sources.insert(std::to_string(group) + "?.png");  // becomes %3F, which is before 5
    for (int i = 100; i < 250; ++i)
      sources.insert(std::to_string(group) + "5-" + std::to_string(i) + ".png");
  }
  for (const Name& source : sources) results.insert(choice(source, "webp", 0));
  ListedResults listing(results, 100);
  CHECK(missing(sources, listing, {.to = {"webp"}, .sources_held = 1'000}, 100).empty());
  CHECK(listing.requests <= 91 + 2 * 10);
}

TEST_CASE("of a source the result lies there only if no other source may have made it [P1]") {
  ListedResults listing({"a.webp", "b.webp"}, 10);
  CHECK(missing({"a.jpg", "a.png", "b.png"}, listing, {.to = {"webp"}}) ==
        std::set<Name>{"a.jpg", "a.png"});
}

TEST_CASE("an empty outbox is asked once, a few sources do not read a whole outbox") {
  std::set<Name> sources, results;
  for (int i = 10'000; i < 20'000; ++i) sources.insert(std::to_string(i) + ".png");
  ListedResults nothing({}, 100);
  CHECK(missing(sources, nothing, {.to = {"webp"}}).size() == 10'000);
  CHECK(nothing.requests == 1);
  for (const Name& source : sources) results.insert(choice(source, "webp", 0));
  ListedResults many(results, 100);
  CHECK(missing({"10007.png", "15000.png"}, many, {.to = {"webp"}}).empty());
  CHECK(many.requests == 2);
}

TEST_CASE("an error of either listing ends the walk with it") {
  struct Broken final : SourceListing, ResultListing {
    Result<std::vector<Candidate>> next_page() override {
      return fail(ErrorKind::Transient, "reset");
    }
    Result<Page> page_behind(const Name&) override { return fail(ErrorKind::Rate, "slow down"); }
  } broken;
  ListedResults results({}, 10);
  const Wishes none;
  CHECK(MissingResults(broken, results, {.to = {"webp"}}, chooser(none)).next().error().message ==
        "reset");
  ListedSources sources({"a.png"}, 10);
  CHECK(MissingResults(sources, broken, {.to = {"webp"}}, chooser(none)).next().error().message ==
        "slow down");
}

namespace {

// photos/IMG_0000000.jpeg and so on; never all of them in memory.
Name numbered(std::size_t i, const char* extension) {
  const std::string digits = std::to_string(i);
  return "photos/IMG_" + std::string(7 - digits.size(), '0') + digits + extension;
}

class NumberedSources final : public SourceListing {
 public:
  explicit NumberedSources(std::size_t count) : count_(count) {}
  Result<std::vector<Candidate>> next_page() override {
    ++pages;
    std::vector<Candidate> page;
    for (; page.size() < 1'000 && at_ < count_; ++at_)
      page.push_back({"f", numbered(at_, ".jpeg"), 20'000, std::string(32, 'e')});
    return page;
  }
  int pages = 0;

 private:
  const std::size_t count_;
  std::size_t at_ = 0;
};

class NumberedResults final : public ResultListing {
 public:
  explicit NumberedResults(std::size_t count) : count_(count) {}
  Result<Page> page_behind(const Name& name) override {
    ++pages;
    std::size_t least = 0, most = count_;  // the first name behind
    while (least < most) {
      const std::size_t middle = (least + most) / 2;
      if (numbered(middle, ".webp") <= name)
        least = middle + 1;
      else
        most = middle;
    }
    Page page;
    for (; page.names.size() < 1'000 && least < count_; ++least)
      if (least % 1'000 != 777) page.names.push_back(numbered(least, ".webp"));
    page.is_last = least == count_;
    return page;
  }
  int pages = 0;

 private:
  const std::size_t count_;
};

}  // namespace

// With MILLRACE_LONG=1 a million.
TEST_CASE("a long listing against one that lacks each thousandth [P6]") {
  const std::size_t count = std::getenv("MILLRACE_LONG") ? 1'000'000 : 50'000;
  NumberedSources sources(count);
  NumberedResults results(count);
  const Wishes none;
  MissingResults walk(sources, results, {.to = {"webp"}}, chooser(none));
  std::size_t found = 0;
  for (;;) {
    const auto some = walk.next();
    REQUIRE(some);
    if (some->empty()) break;
    for (const Candidate& one : *some)
      REQUIRE(one.name == numbered(1'000 * found++ + 777, ".jpeg"));
  }
  CHECK(found == count / 1'000);
  CHECK(sources.pages <= static_cast<int>(count / 1'000 + 2));
  CHECK(results.pages <= static_cast<int>(count / 1'000 + 2));
}
