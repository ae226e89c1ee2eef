#include "agent/watch/fingerprints.hpp"
#include "agent/watch/glob.hpp"
#include "agent/watch/name_filter.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

TEST_CASE("patterns match as people expect") {
  struct Row {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Row row = GENERATE(values<Row>({
      {"*.png", "a.PNG", true},
      {"*.png", "sub/a.png", true},
      {"*.png", "a.pngx", false},
      {"*", "anything", true},
      {"scans/*.pdf", "scans/a.pdf", true},
      {"scans/*.pdf", "scans/b/a.pdf", false},
      {"scans/**", "scans/b/a.pdf", true},
      {"**/b/*.pdf", "x/y/b/a.pdf", true},
      {"/a.png", "a.png", true},
      {"/a.png", "b/a.png", false},
      {"?.png", "\xC3\xA4.png", true},
      {"?.png", ".png", false},
      {"a*b*c", "aXbXbYc", true},
      {"", "a", false},
      {"**a*b", "x/a/xaxb", true},
  }));
  CAPTURE(row.pattern, row.name);
  CHECK(pattern_matches(row.pattern, row.name) == row.matches);
}

TEST_CASE("a hostile pattern costs pattern times text") {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  CHECK_FALSE(glob_matches(pattern + "b", std::string(4000, 'a')));
}

TEST_CASE("in-flight names, litter, markers and hidden folders are no candidates [A5]") {
  NameRules rules;
  rules.exclude = {"*.raw"};
  rules.ready_marker = "{name}.ready";
  const NameFilter filter(rules);
  for (const char* name :
       {"a.part", "a.TMP", "a.crdownload", "a.filepart", "~$a.docx", ".~lock.a#", "._a",
        ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden", "x.raw", "a.png.ready", "@eaDir/a.png",
        ".stversions/a.png", "x/__MACOSX/a.png"}) {
    CAPTURE(name);
    CHECK(filter.why_not(name));
  }
  for (const char* name : {"a.png", "sub/a.png", "a~.png", "part"})
    CHECK_FALSE(filter.why_not(name));
  CHECK(filter.marker_of("sub/a.png") == "sub/a.png.ready");
  CHECK(filter.marked_by("sub/a.png.ready") == "sub/a.png");
  CHECK_FALSE(filter.marked_by("sub/a.png"));
}

TEST_CASE("what is deeper than 64 folders is left out [K5]") {
  std::string deep;
  for (int i = 0; i < 64; ++i) deep += "d/";
  CHECK(NameFilter({}).why_not_enter(deep.substr(0, deep.size() - 1)));
  CHECK_FALSE(NameFilter({}).why_not_enter("d/d/d"));
}

TEST_CASE("fingerprints keep what is seen and forget the rest [D1]") {
  Fingerprints set(1, 2);
  for (int i = 0; i < 100'000; ++i) set.add(std::to_string(i), "v");
  CHECK(set.size() == 100'000);
  CHECK(set.holds("99", "v"));
  CHECK_FALSE(set.holds("99", "w"));
  CHECK_FALSE(set.holds("9", "9v"));
  set.begin_sweep();
  for (int i = 0; i < 1000; ++i) CHECK(set.holds(std::to_string(i), "v"));
  set.add("new", "v");
  set.sweep();
  CHECK(set.size() == 1001);
  CHECK(set.holds("0", "v"));
  CHECK(set.holds("new", "v"));
  CHECK_FALSE(set.holds("5000", "v"));
}

}  // namespace
}  // namespace millrace
