// The tables of Windows, on every system.
#include "platform/fs/windows_facts.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;

TEST_CASE("what leads elsewhere is a link, what a driver keeps is a file [K1 K5]") {
  struct Row {
    const char* what;
    std::uint32_t bits;
    std::uint32_t tag;
    FileType type;
  };
  const Row row = GENERATE(values<Row>({
      {"a file", 0x20, 0, FileType::Regular},
      {"a file without any attribute", 0x80, 0, FileType::Regular},
      {"a directory", 0x10, 0, FileType::Directory},
      {"a symbolic link to a file", 0x420, 0xA000000C, FileType::Symlink},
      {"a symbolic link to a directory", 0x410, 0xA000000C, FileType::Symlink},
      {"a junction or a mounted folder", 0x410, 0xA0000003, FileType::Symlink},
      {"a link of the Linux subsystem", 0x400, 0xA000001D, FileType::Symlink},
      {"a hydrated file of a cloud drive", 0x420, 0x9000701A, FileType::Regular},
      {"a folder of a cloud drive", 0x410, 0x9000701A, FileType::Directory},
      {"a deduplicated file", 0x620, 0x80000013, FileType::Regular},
      {"a compressed system file", 0x420, 0x80000017, FileType::Regular},
      {"a Unix socket", 0x400, 0x80000023, FileType::Other},
      {"a link to a store application", 0x420, 0x8000001B, FileType::Other},
      // The tag means nothing without its bit: in a listing other things stand in its place.
      {"a file with extended attributes", 0x20, 0xA000000C, FileType::Regular},
  }));
  INFO(row.what);
  CHECK(type_of({row.bits, row.tag}) == row.type);
}

TEST_CASE("files whose bytes are elsewhere are placeholders") {
  CHECK(is_placeholder({0x400000, 0}));               // RECALL_ON_DATA_ACCESS: OneDrive
  CHECK(is_placeholder({0x40000 | 0x400, 0}));        // RECALL_ON_OPEN
  CHECK(is_placeholder({0x1000 | 0x200 | 0x20, 0}));  // OFFLINE: an archive
  CHECK_FALSE(is_placeholder({0x20, 0}));
  CHECK_FALSE(is_placeholder({0x80000 | 0x420, 0x9000701A}));  // pinned, so it is here
}

TEST_CASE("times of 1601 in 100 ns are times of 1970 in ns") {
  CHECK(unix_ns_of(116'444'736'000'000'000) == 0);
  CHECK(unix_ns_of(116'444'736'000'000'001) == 100);
  CHECK(unix_ns_of(134'403'888'109'835'990) == 1'795'915'210'983'599'000);
  CHECK(unix_ns_of(116'444'735'999'999'999) == -100);
  CHECK(unix_ns_of(0) == 0);  // no such time is kept
}

TEST_CASE("names that Windows cannot have, or takes for something else, are refused [F8 K7 K8]") {
  for (const std::string_view good :
       {"a", "a/b.png", "con.png", "nul", "com1", "a.", "a ", " a", "..a", "...", "\xc3\xbc",
        "\xf0\x9f\x98\x80", "\xed\xa0\x80", "a'b", "%41", "a~1"})
    CHECK(check_windows_name(good));
  const std::string longest(255, 'x');
  CHECK(check_windows_name(longest + "/" + longest));
  CHECK_FALSE(check_windows_name(longest + "x"));
  for (const std::string_view bad : {"",
                                     ".",
                                     "..",
                                     "a/..",
                                     "../a",
                                     "/a",
                                     "a//b",
                                     "a\\b",
                                     "a\\..\\..\\b",
                                     "C:x",
                                     "C:/x",
                                     "a:b",
                                     "a::$DATA",
                                     "a*",
                                     "a?",
                                     "a\"",
                                     "<a>",
                                     "a|b",
                                     "a\nb",
                                     "\x1f",
                                     "\xff\xfe",
                                     "\xc3",
                                     "\xed\xa0\xbd\xed\xb8\x80",
                                     "\xc0\xaf"}) {
    INFO(bad);
    const auto checked = check_windows_name(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().kind == ErrorKind::Input);
  }
}

TEST_CASE("folders are made below the drive or the share") {
  struct Row {
    std::wstring root, below;
  };
  const Row row = GENERATE(values<Row>({
      {L"C:\\", L"in\\a"},
      {L"C:\\", L""},
      {L"C:", L""},
      {L"\\\\server\\share\\", L"in\\a"},
      {L"\\\\server\\share\\", L""},
      {L"\\\\server\\share", L""},
      {L"\\\\server", L""},
      {L"\\\\?\\UNC\\server\\share\\", L"in\\a"},
      {L"\\\\?\\UNC\\server\\share", L""},
      {L"\\\\?\\C:\\", L"in"},
      {L"\\\\?\\Volume{1-2}\\", L"in\\a"},
      {L"\\\\.\\C:\\", L"in"},
      {L"", L""},
  }));
  CAPTURE(row.root.size(), row.below.size());
  CHECK(root_length(row.root + row.below) == row.root.size());
}

TEST_CASE("a drive of one log-on is told, with what it stands for") {
  struct Row {
    const char* path;
    DriveFacts facts;
    std::optional<std::string> instead;
  };
  const std::string disk = "\\Device\\HarddiskVolume2";
  const std::string net = "\\Device\\Mup\\;LanmanRedirector\\;M:00000000000a1b2c\\nas\\scans";
  const Row row = GENERATE_COPY(values<Row>({
      {"C:\\in", {"", disk, false}, std::nullopt},
      {"C:\\in", {"", "", false}, std::nullopt},
      {"D:\\", {"", "\\??\\Volume{1-2}", false}, std::nullopt},
      {"M:\\in", {"\\\\nas\\scans", net, true}, "\\\\nas\\scans\\in"},
      {"M:\\", {"\\\\nas\\scans", net, true}, "\\\\nas\\scans"},
      {"M:\\gr\u00f6\u00dfe\\\U0001f4f7",
       {"\\\\nas\\scans\\", "", false},
       "\\\\nas\\scans\\gr\u00f6\u00dfe\\\U0001f4f7"},
      // Connected at the log-on, and not in this command prompt.
      {"M:\\in", {"\\\\nas\\scans", "", false}, "\\\\nas\\scans\\in"},
      {"M:\\in", {"", net, true}, ""},
      {"M:\\in", {"WebDAV", "", true}, ""},
      {"S:\\in", {"", "\\??\\C:\\work", false}, "C:\\work\\in"},
      {"S:\\", {"", "\\??\\C:\\work", false}, "C:\\work"},
      {"S:\\", {"", "\\??\\C:\\", false}, "C:\\"},
      {"S:\\in", {"", "\\??\\UNC\\nas\\scans", true}, "\\\\nas\\scans\\in"},
  }));
  CAPTURE(row.path, row.facts.share, row.facts.device);
  const auto found = personal_drive(row.path, row.facts);
  REQUIRE(found.has_value() == row.instead.has_value());
  if (!found) return;
  CHECK(found->drive == std::string(row.path).substr(0, 2));
  CHECK(found->instead == *row.instead);
}
