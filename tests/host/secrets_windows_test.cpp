#include <windows.h>

#include <aclapi.h>
#include <dpapi.h>
#include <sddl.h>

#include <string>

#include "platform/base/owner_only_windows.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {
namespace {

// Whether a secret of one user alone, made before `meanwhile`, opens after it.
template <typename Meanwhile>
bool opens_after(Meanwhile meanwhile) {
  BYTE secret[] = "CANARY";
  DATA_BLOB in{sizeof secret, secret}, kept{}, out{};
  REQUIRE(::CryptProtectData(&in, nullptr, nullptr, nullptr, nullptr, 0, &kept));
  meanwhile();
  const bool opened = ::CryptUnprotectData(&kept, nullptr, nullptr, nullptr, nullptr, 0, &out);
  ::LocalFree(kept.pbData);
  ::LocalFree(out.pbData);
  return opened;
}

}  // namespace

TEST_CASE("a secret on the disk is not its own text [M2]") {
  const test::Scratch home;
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  const std::string kept = test::read_file(home / "secrets/ctf");
  CHECK(kept.size() > 6);
  CHECK(kept.find("CANARY") == std::string::npos);
}

TEST_CASE("what one account keeps another opens: a person the key, the service reads it [M2]") {
  if (!test::under_wine())
    return test::not_shown_here("two accounts; Wine makes one another by a variable");
  const test::Scratch home;
  const std::wstring before = to_wide(environment_variable(L"WINEUSERNAME"));
  REQUIRE(store_secret(home.path(), "ctf", "CANARY"));
  CHECK_FALSE(opens_after([] { ::SetEnvironmentVariableW(L"WINEUSERNAME", L"Millrace"); }));
  CHECK(read_secret(home.path(), "ctf").value() == "CANARY");
  ::SetEnvironmentVariableW(L"WINEUSERNAME", before.c_str());
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
  for (const std::string who : {"SY", "BA", "S-1-3-4", to_utf8(kServiceSid).c_str()}) {
    INFO(who);
    const bool named = list.find(";" + who + ")") != std::string::npos;
    CHECK((named || (who == "S-1-3-4" && list.find(";OW)") != std::string::npos)));
  }
}

}  // namespace millrace
