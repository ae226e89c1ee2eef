#include "platform/fs/owner_only_windows.hpp"

#include <sddl.h>

#include <cstddef>
#include <string>
#include <vector>

#include "platform/base/handle_windows.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

std::wstring account_of_this_process() {
  HANDLE opened = nullptr;
  if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened)) return {};
  const Handle token(opened);
  DWORD size = 0;
  ::GetTokenInformation(token.get(), TokenUser, nullptr, 0, &size);
  std::vector<std::max_align_t> memory(size / sizeof(std::max_align_t) + 1);
  if (!::GetTokenInformation(token.get(), TokenUser, memory.data(), size, &size)) return {};
  wchar_t* text = nullptr;
  if (!::ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(memory.data())->User.Sid, &text))
    return {};
  std::wstring sid(text);
  ::LocalFree(text);
  return sid;
}

// FA: all access; SY: the system; BA: its administrators. MS-DTYP, 2.5.1 (SDDL)
SECURITY_DESCRIPTOR* make() {
  const std::wstring account = account_of_this_process();
  if (account.empty()) return nullptr;
  const std::wstring text = L"D:P(A;;FA;;;" + account + L")(A;;FA;;;SY)(A;;FA;;;BA)";
  PSECURITY_DESCRIPTOR made = nullptr;
  ::ConvertStringSecurityDescriptorToSecurityDescriptorW(text.c_str(), SDDL_REVISION_1, &made,
                                                         nullptr);
  return static_cast<SECURITY_DESCRIPTOR*>(made);
}

}  // namespace

Result<SECURITY_DESCRIPTOR*> owner_only() {
  static SECURITY_DESCRIPTOR* const made = make();  // kept as long as the process
  if (made == nullptr)
    return fail(ErrorKind::Environment, "no access list for this account can be made");
  return made;
}

}  // namespace millrace
