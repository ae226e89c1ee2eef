#include "agent/deliver/naming.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "platform/base/text.hpp"
#include "platform/fs/path_text.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

// Written apart from the mapping, after Microsoft's "Naming Files, Paths, and Namespaces".
bool is_legal_everywhere(std::string_view part) {
  if (part.empty() || part.size() > 255 || part == "." || part == "..") return false;
  if (!is_valid_utf8(part)) return false;
  if (part.back() == '.' || part.back() == ' ') return false;
  for (const char c : part)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
        std::string_view("<>:\"/\\|?*").contains(c))
      return false;
  std::string base = to_lower_ascii(part.substr(0, part.find('.')));
  base.erase(base.find_last_not_of(' ') + 1);
  static const std::set<std::string> devices = [] {
    std::set<std::string> names = {"con", "prn", "aux", "nul", "conin$", "conout$"};
    for (const std::string digit :
         {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"})
      names.merge(std::set<std::string>{"com" + digit, "lpt" + digit});
    return names;
  }();
  return !devices.contains(base);
}

void check_name(const Name& name) {
  INFO(printable(name));
  CHECK(check_relative_name(name));
  for (const std::string_view part : split_name(name)) CHECK(is_legal_everywhere(part));
}

std::vector<std::string> hostile_names() {
  std::vector<std::string> names = {"../x",
                                    "/abs",
                                    "a\\..\\b",
                                    "C:x",
                                    "a//b",
                                    "a/",
                                    ".",
                                    "..",
                                    "...",
                                    "a/../b",
                                    "CON",
                                    "con.png",
                                    "NUL",
                                    "nul.tar.gz",
                                    "COM1",
                                    "COM1.png",
                                    "com\u00b9.png",
                                    "LPT\u00b3",
                                    "COM0",
                                    "AUX .png",
                                    "a:b.png",
                                    "a.",
                                    "a. ",
                                    "a ",
                                    " a",
                                    "a\nb",
                                    "a\r\nb",
                                    "<script>",
                                    "a|b?c*d\"e",
                                    "\x7f",
                                    "%",
                                    "%4",
                                    "%41",
                                    "%3A",
                                    "%%41",
                                    "%2%3A",
                                    "\xff",
                                    "\xc3",
                                    "\xed\xa0\x80",
                                    "a\xffz.png",
                                    "~x",
                                    ".hidden",
                                    ".millrace-agent-1-0123456789abcdef.tmp",
                                    ".MILLRACE-x",
                                    "",
                                    "\u202ertl",
                                    "caf\u00e9",
                                    "cafe\u0301",
                                    "CONIN$",
                                    "a.png:ads",
                                    "%25",
                                    "=cmd",
                                    "--flag",
                                    "\u65e5\u672c.png"};
  names.emplace_back("nul\0x", 5);
  for (const std::size_t length : {239, 240, 241, 255, 256, 1024}) {
    names.push_back(std::string(length, 'x') + ".png");
    names.push_back(std::string(length, ':'));
    std::string wide;
    while (wide.size() < length) wide += "\u65e5";
    names.push_back(wide + "1.png");
    names.push_back(wide + "2.png");
  }
  std::string deep = "d";
  for (int i = 0; i < 400; ++i) deep += "/d";
  names.push_back(deep + "/1");
  names.push_back(deep + "/2");
  return names;
}

std::string random_name(std::mt19937& random) {
  constexpr std::string_view kAlphabet = "ab.%/: \\4A\xc3\xa9\xff\n~(2)C";
  std::string name;
  const std::size_t length = 1 + random() % 9;
  while (name.size() < length) name += kAlphabet[random() % kAlphabet.size()];
  return name;
}

}  // namespace

TEST_CASE("choices are the template, then the whole name, then numbers [F5]") {
  CHECK(output_names({"{stem}.{to}", "scans/a.png", "webp"}, 4) ==
        std::vector<Name>{"scans/a.webp", "scans/a.png.webp", "scans/a (2).webp",
                          "scans/a (3).webp"});
  CHECK(output_name({"{to}/{stem}-{ext}.{to}", "x/a.tar.gz", "zip"}, 0) == "x/zip/a.tar-gz.zip");
  CHECK(output_name({"{stem}.{to}", ".profile", "pdf"}, 0) == ".profile.pdf");
  CHECK(output_name({"{stem}.{to}", "noext", "pdf"}, 0) == "noext.pdf");
  CHECK(output_names({"{name}.{to}", "a.png", "webp"}, 3) ==
        std::vector<Name>{"a.png.webp", "a.png (2).webp"});
}

TEST_CASE("every choice for every name is beneath the outbox and legal on all systems [F8 F9 K7]") {
  for (const std::string& source : hostile_names())
    for (const int choice : {0, 1, 2, 999}) {
      check_name(output_name({"{stem}.{to}", source, "webp"}, choice));
      check_name(output_name({"{name}", source, "webp"}, choice));
    }
  for (const std::string& name : hostile_names()) check_name(portable_name(name));
}

TEST_CASE("templates are no way out either [K11]") {
  for (const std::string pattern : {"../{stem}", "/{stem}", "{stem}/../../x", "..", "{stem}\\..\\x",
                                    "{{stem}", "{", "}{", "C:{name}"})
    for (const std::string source : {"a.png", "../../x", "..", "b/.."})
      check_name(output_name({pattern, source, "../../etc"}, 0));
}

TEST_CASE("escaping can be undone, so different names stay different [F8]") {
  std::mt19937 random(7);
  auto names = hostile_names();
  for (int i = 0; i < 20'000; ++i) names.push_back(random_name(random));
  for (const std::string& name : names) {
    INFO(printable(name));
    CHECK(unescape_part(escape_part(name)) == name);
    if (name.size() < 60) CHECK(is_legal_everywhere(escape_part(name)));
  }
}

TEST_CASE("different sources have different second choices and portable names [F5 K7]") {
  std::mt19937 random(8);
  const auto fixed = hostile_names();
  std::set<std::string> sources(fixed.begin(), fixed.end());
  for (int i = 0; i < 20'000; ++i) sources.insert(random_name(random));
  std::set<Name> choices, mapped;
  for (const std::string& source : sources) {
    choices.insert(output_name({"{stem}.{to}", source, "webp"}, 1));
    mapped.insert(portable_name(source));
  }
  CHECK(choices.size() == sources.size());
  CHECK(mapped.size() == sources.size());
}

TEST_CASE("ordinary names are left as they are") {
  for (const std::string name :
       {"a.png", "Ferien 2026/Bild (1).jpg", "caf\u00e9/\u65e5\u672c.png", "100%.pdf",
        "50% off.png", "a..b", "~tilde", "console.txt", "com.png", "COM10", ".hidden", "icon"})
    CHECK(portable_name(name) == name);
}

TEST_CASE("a long name keeps its extension, and whole characters [F9]") {
  std::string wide;
  while (wide.size() < 300) wide += "\u65e5";
  const Name name = output_name({"{stem}.{to}", wide + ".png", "webp"}, 0);
  CHECK(name.size() <= kMaxPart);
  CHECK(name.ends_with(".webp"));
  CHECK(is_valid_utf8(name));
}

TEST_CASE("names that a file system may take for one have one key [F7]") {
  CHECK(fold_name("A.PNG") == fold_name("a.png"));
  CHECK(fold_name("caf\u00e9") == fold_name("CAFE\u0301"));
  CHECK(fold_name("stra\u00dfe") == fold_name("STRASSE"));
  CHECK(fold_name("\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2") ==
        fold_name("\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"));
  CHECK(fold_name("\u212b") == fold_name("\u00e5"));  // the sign for angstrom
  CHECK(fold_name("\ufb01") == fold_name("FI"));
  CHECK(fold_name("a\xff"
                  "B") == fold_name("A\xff"
                                    "b"));
  CHECK(fold_name("a.png") != fold_name("b.png"));
  CHECK(fold_name("x\u00b2") != fold_name("x2"));  // compatibility is not identity
}

TEST_CASE("folding twice changes nothing [F7]") {
  for (const std::string& name : hostile_names())
    CHECK(fold_name(fold_name(name)) == fold_name(name));
  std::string all;
  for (char32_t c = 1; c < 0x3000; ++c) {
    std::string text;
    if (c < 0x80) {
      text = static_cast<char>(c);
    } else if (c < 0x800) {
      text = {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 63))};
    } else {
      text = {static_cast<char>(0xe0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 63)),
              static_cast<char>(0x80 | (c & 63))};
    }
    if (fold_name(fold_name(text)) != fold_name(text)) all += text + " ";
  }
  CHECK(all.empty());
}

TEST_CASE("templates are validated [K11]") {
  for (const std::string_view good :
       {"{stem}.{to}", "{name}", "{to}/{stem}_x.{to}", "{stem} ({ext}).{to}"})
    CHECK(validate_template(good));
  for (const std::string_view bad :
       {"", "x.{to}", "{stem}.{foo}", "{stem", "stem}", "{stem}.{to", "../{stem}", "/{stem}",
        "{stem}//x", "{stem}/", "{}{stem}", "{{stem}}", "{to}}{stem}"})
    CHECK(validate_template(bad).error().kind == ErrorKind::Configuration);
  CHECK(validate_template("{stem}.{foo}").error().message.find("{foo}") != std::string::npos);
}
