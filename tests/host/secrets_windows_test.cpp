#include <windows.h>

#include <sddl.h>

#include <string>

#include "platform/base/owner_only_windows.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {

TEST_CASE("a secret on the disk is not its own text [M2]") {
  const test::Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  const std::string kept = test::read_file(home / "secrets/ctf");
  CHECK(kept.size() > 6);
  CHECK(kept.find("CANARY") == std::string::npos);
}

TEST_CASE("the list of a secret names the system, administrators, its owner and the service [M2]") {
  OwnerOnly owner_only;
  LPWSTR text = nullptr;
  REQUIRE(::ConvertSecurityDescriptorToStringSecurityDescriptorW(
      owner_only.get()->lpSecurityDescriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text,
      nullptr));
  const std::string list = to_utf8(text);
  ::LocalFree(text);
  INFO(list);
  CHECK(list.starts_with("D:P"));  // nothing comes from the folder above
  std::size_t entries = 0;
  for (const char c : list) entries += c == '(' ? 1 : 0;
  CHECK(entries == 4);
  for (const std::string& who :
       {std::string("SY"), std::string("BA"), std::string("OW"), to_utf8(kServiceSid)}) {
    INFO(who);
    CHECK(list.find(";" + who + ")") != std::string::npos);
  }
}

}  // namespace millrace
