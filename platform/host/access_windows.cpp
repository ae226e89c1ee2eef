#include "platform/host/access_windows.hpp"

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "platform/base/handle_windows.hpp"
#include "platform/base/wide_windows.hpp"

namespace millrace {
namespace {

struct LocalFreed {
  void operator()(void* memory) const { ::LocalFree(memory); }
};
using Descriptor = std::unique_ptr<void, LocalFreed>;

// Protected from what its parent passes on: full access for SYSTEM, the administrators and the
// owner, here and for all beneath (Security Descriptor Definition Language).
constexpr const wchar_t* kPrivate = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";

bool is_well_known(PSID sid, std::initializer_list<WELL_KNOWN_SID_TYPE> types) {
  for (const auto type : types) {
    if (::IsWellKnownSid(sid, type)) return true;
  }
  return false;
}

bool is_this_user(PSID sid) {
  HANDLE raw = nullptr;
  if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &raw)) return false;
  const Handle token(raw);
  std::array<std::byte, sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE> space;
  DWORD size = 0;
  if (!::GetTokenInformation(token.get(), TokenUser, space.data(), static_cast<DWORD>(space.size()),
                             &size)) {
    return false;
  }
  return ::EqualSid(sid, reinterpret_cast<const TOKEN_USER*>(space.data())->User.Sid);
}

struct Security {
  Descriptor owns;
  PSID owner = nullptr;
  PACL list = nullptr;  // null: everybody may do everything
};

Result<Security> security_of(const std::filesystem::path& path) {
  Security security;
  PSECURITY_DESCRIPTOR raw = nullptr;
  const DWORD code = ::GetNamedSecurityInfoW(
      path.c_str(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
      &security.owner, nullptr, &security.list, nullptr, &raw);
  if (code != ERROR_SUCCESS) {
    return windows_failure(ErrorKind::Environment, "look at the access list of " + path.string(),
                           code);
  }
  security.owns.reset(raw);
  return security;
}

}  // namespace

Result<void> make_private_folder(const std::filesystem::path& folder) {
  PSECURITY_DESCRIPTOR raw = nullptr;
  if (!::ConvertStringSecurityDescriptorToSecurityDescriptorW(kPrivate, SDDL_REVISION_1, &raw,
                                                              nullptr)) {
    return windows_failure(ErrorKind::Defect, "access list", ::GetLastError());
  }
  const Descriptor descriptor(raw);
  SECURITY_ATTRIBUTES attributes{sizeof attributes, raw, FALSE};
  if (::CreateDirectoryW(folder.c_str(), &attributes)) return {};
  if (const DWORD code = ::GetLastError(); code != ERROR_ALREADY_EXISTS) {
    return windows_failure(ErrorKind::Environment, "make " + folder.string(), code);
  }
  const auto security = security_of(folder);
  if (!security) return std::unexpected(security.error());
  if (is_this_user(security->owner) ||
      is_well_known(security->owner, {WinLocalSystemSid, WinBuiltinAdministratorsSid})) {
    return {};
  }
  return fail(ErrorKind::Environment, folder.string() +
                                          " belongs to somebody who is neither this user nor an "
                                          "administrator");
}

Result<bool> others_may_read(const std::filesystem::path& file) {
  const auto security = security_of(file);
  if (!security) return std::unexpected(security.error());
  if (security->list == nullptr) return true;
  for (DWORD i = 0; i < security->list->AceCount; ++i) {
    void* entry = nullptr;
    if (!::GetAce(security->list, i, &entry)) continue;
    const auto* allowed = static_cast<const ACCESS_ALLOWED_ACE*>(entry);
    if (allowed->Header.AceType != ACCESS_ALLOWED_ACE_TYPE) continue;
    auto* sid = const_cast<DWORD*>(&allowed->SidStart);
    const bool reads = (allowed->Mask & (FILE_READ_DATA | GENERIC_READ | GENERIC_ALL)) != 0;
    if (reads && is_well_known(sid, {WinWorldSid, WinAuthenticatedUserSid, WinBuiltinUsersSid,
                                     WinBuiltinGuestsSid, WinInteractiveSid})) {
      return true;
    }
  }
  return false;
}

}  // namespace millrace
