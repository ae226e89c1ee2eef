#include "platform/base/advice.hpp"

#include <windows.h>

#include <sddl.h>

#include <regex>

#include "platform/base/native_path.hpp"
#include "platform/base/wide_windows.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a path in a command is quoted where a command prompt would split it") {
  CHECK(shell_text("C:\\a\\b-c.1") == "C:\\a\\b-c.1");
  CHECK(shell_text("C:\\Program Files") == "\"C:\\Program Files\"");
  CHECK(shell_text("\\\\nas\\a&b") == "\"\\\\nas\\a&b\"");
  CHECK(how_to_make_folder("C:/my scans") == "mkdir \"C:\\my scans\"");
}

TEST_CASE("advice names commands of Windows and none of Unix") {
  const test::Scratch scratch;
  test::write_file(scratch / "k\u00e4y", "");
  const std::string folder = path_text(scratch.path()), file = folder + "\\k\u00e4y";
  for (const std::string& advice :
       {how_to_make_folder(scratch.path()), how_to_close(scratch / "k\u00e4y"),
        how_to_keep_from_change(scratch / "k\u00e4y"), how_to_let_read(scratch.path()),
        how_to_let_write(scratch.path()), how_to_set_clock(), how_to_trust_more()}) {
    INFO(advice);
    CHECK_FALSE(has(advice, "chmod"));
    CHECK_FALSE(has(advice, "-p"));
    CHECK_FALSE(has(advice, "timedatectl"));
  }
  CHECK(has(how_to_close(scratch / "k\u00e4y"), "icacls \"" + file + "\" /inheritance:r "));
  CHECK(has(how_to_close(scratch / "k\u00e4y"), "\"*S-1-5-18:F\""));
  CHECK(has(how_to_close(scratch.path()), "\"*S-1-5-18:(OI)(CI)F\""));
  CHECK(has(how_to_let_write(scratch.path()), "\"NT SERVICE\\Millrace:(OI)(CI)M\""));
  CHECK(has(how_to_let_read(scratch / "k\u00e4y"), "\"NT SERVICE\\Millrace:RX\""));
  CHECK(has(how_to_let_read(scratch.path()), "Run as administrator"));
  CHECK(has(how_to_trust_more(), "certutil -syncWithWU"));
}

TEST_CASE("every account of the advice is one that Windows knows") {
  const std::string advice = how_to_close("C:\\key");
  const std::regex account("\\*(S-[0-9-]+)");
  int count = 0;
  for (std::sregex_iterator at(advice.begin(), advice.end(), account), end; at != end; ++at) {
    INFO((*at)[1].str());
    PSID sid = nullptr;
    CHECK(::ConvertStringSidToSidW(to_wide((*at)[1].str()).c_str(), &sid));
    ::LocalFree(sid);
    ++count;
  }
  CHECK(count == 8);
}

}  // namespace millrace
