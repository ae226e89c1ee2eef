#include <windows.h>

#include "platform/base/long_path_windows.hpp"
#include "tests/support/strangers.hpp"
#include "tests/support/wine_windows.hpp"

namespace millrace::test {

// Wine makes no links, and shows those of the system beneath it as what they lead to.
bool plant_link(const std::filesystem::path& link, const std::string& target, LinkTo to) {
  if (under_wine()) return false;
  constexpr DWORD kUnprivileged = 0x2;  // SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE
  const DWORD flags = kUnprivileged | (to == LinkTo::Folder ? SYMBOLIC_LINK_FLAG_DIRECTORY : 0);
  std::wstring wide = *wide_name(target);
  for (wchar_t& c : wide)
    if (c == L'/') c = L'\\';
  const bool made = ::CreateSymbolicLinkW(verbatim(link).c_str(), wide.c_str(), flags) != 0;
  INFO("links need the developer mode of Windows");
  REQUIRE(made);
  return true;
}

bool plant_fifo(const std::filesystem::path&) { return false; }

std::vector<std::string> strange_names() {
  std::vector<std::string> names = {"\xe2\x80\xaertl",
                                    std::string(255, 'x'),
                                    "a b'$(x)",
                                    "-rf",
                                    "\xc3\xbc\xf0\x9f\x98\x80",  // an umlaut, an emoji
                                    "con.png",
                                    "dot.",
                                    "space "};
  // Wine keeps names as UTF-8 and has no place for half a pair.
  if (!under_wine()) names.push_back("\xed\xa0\x80half");
  return names;
}

}  // namespace millrace::test
