#include "platform/base/access_windows.hpp"

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "platform/base/handle_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/permissions.hpp"
#include "platform/base/wide_windows.hpp"

namespace millrace {
namespace {

struct LocalFreed {
  void operator()(void* memory) const { ::LocalFree(memory); }
};
using Descriptor = std::unique_ptr<void, LocalFreed>;

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

bool is_our_service(PSID sid) {
  PSID service = nullptr;
  if (!::ConvertStringSidToSidW(kServiceSid, &service)) return false;
  const Descriptor owns(service);
  return ::EqualSid(sid, service);
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
    return windows_failure(ErrorKind::Environment, "look at the access list of " + path_text(path),
                           code);
  }
  security.owns.reset(raw);
  return security;
}

}  // namespace

Result<void> make_private_folder(const std::filesystem::path& folder) {
  OwnerOnly owner_only;
  if (::CreateDirectoryW(folder.c_str(), owner_only.get())) return {};
  if (const DWORD code = ::GetLastError(); code != ERROR_ALREADY_EXISTS) {
    return windows_failure(ErrorKind::Environment, "make " + path_text(folder), code);
  }
  const auto security = security_of(folder);
  if (!security) return std::unexpected(security.error());
  if (is_this_user(security->owner) || is_our_service(security->owner) ||
      is_well_known(security->owner, {WinLocalSystemSid, WinBuiltinAdministratorsSid})) {
    return {};
  }
  // Not taken over: what is in it, such as a configuration, may have been put there for us to obey.
  return fail(ErrorKind::Environment,
              path_text(folder) +
                  " belongs to somebody who is neither this user nor an administrator; if all that "
                  "is in it may be trusted, \"Run as administrator\": icacls \"" +
                  path_text(folder) + "\" /setowner *S-1-5-32-544 /t /l");
}

Result<void> make_private(const std::filesystem::path& path) {
  OwnerOnly owner_only;
  BOOL present = FALSE, defaulted = FALSE;
  PACL list = nullptr;
  ::GetSecurityDescriptorDacl(owner_only.get()->lpSecurityDescriptor, &present, &list, &defaulted);
  std::array<std::byte, SECURITY_MAX_SID_SIZE> administrators;
  DWORD size = static_cast<DWORD>(administrators.size());
  ::CreateWellKnownSid(WinBuiltinAdministratorsSid, nullptr, administrators.data(), &size);
  std::wstring name = path.wstring();
  const DWORD code = ::SetNamedSecurityInfoW(
      name.data(), SE_FILE_OBJECT,
      OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
      administrators.data(), nullptr, list, nullptr);
  if (code == ERROR_SUCCESS) return {};
  return windows_failure(ErrorKind::Environment, "set the access list of " + path_text(path), code);
}

Result<void> grant_use(const std::filesystem::path& path, const wchar_t* sid, FileUse file_use) {
  // To read, write, run and delete, without the access list itself; to read; to read and run.
  constexpr DWORD kModify = 0x1301bf, kRead = FILE_GENERIC_READ;
  constexpr DWORD kRun = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE;
  const auto security = security_of(path);
  if (!security) return std::unexpected(security.error());
  // Without a list everybody may do everything; one with a single entry would shut the others out.
  if (security->list == nullptr) return {};
  PSID account = nullptr;
  if (!::ConvertStringSidToSidW(sid, &account)) {
    return windows_failure(ErrorKind::Defect, "read a security identifier", ::GetLastError());
  }
  const Descriptor owns_account(account);
  std::error_code problem;
  const bool folder = std::filesystem::is_directory(path, problem);
  EXPLICIT_ACCESSW entry{};
  entry.grfAccessPermissions = folder ? kModify : file_use == FileUse::Run ? kRun : kRead;
  entry.grfAccessMode = GRANT_ACCESS;
  entry.grfInheritance = folder ? SUB_CONTAINERS_AND_OBJECTS_INHERIT : NO_INHERITANCE;
  entry.Trustee.TrusteeForm = TRUSTEE_IS_SID;
  entry.Trustee.ptstrName = static_cast<LPWSTR>(account);
  PACL list = nullptr;
  DWORD code = ::SetEntriesInAclW(1, &entry, security->list, &list);
  const Descriptor owns_list(list);
  if (code == ERROR_SUCCESS) {
    std::wstring name = path.wstring();
    code = ::SetNamedSecurityInfoW(name.data(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr,
                                   nullptr, list, nullptr);
  }
  if (code == ERROR_SUCCESS) return {};
  return windows_failure(ErrorKind::Environment, "change the access list of " + path_text(path),
                         code);
}

std::filesystem::perms permissions_of(const std::filesystem::path& path, std::error_code& problem) {
  using std::filesystem::perms;
  constexpr perms kAll = perms::others_read | perms::others_write;
  problem.clear();
  const auto security = security_of(path);
  if (!security) {
    problem = std::error_code(security.error().os_code, std::system_category());
    return perms::unknown;
  }
  if (security->list == nullptr) return kAll;
  perms found = perms::none;
  for (DWORD i = 0; i < security->list->AceCount; ++i) {
    void* entry = nullptr;
    if (!::GetAce(security->list, i, &entry)) continue;
    const auto* allowed = static_cast<const ACCESS_ALLOWED_ACE*>(entry);
    if (allowed->Header.AceType != ACCESS_ALLOWED_ACE_TYPE ||
        (allowed->Header.AceFlags & INHERIT_ONLY_ACE) != 0) {
      continue;
    }
    auto* sid = const_cast<DWORD*>(&allowed->SidStart);
    if (!is_well_known(sid, {WinWorldSid, WinAuthenticatedUserSid, WinBuiltinUsersSid,
                             WinBuiltinGuestsSid, WinInteractiveSid})) {
      continue;
    }
    if ((allowed->Mask & (FILE_READ_DATA | GENERIC_READ | GENERIC_ALL)) != 0) {
      found |= perms::others_read;
    }
    if ((allowed->Mask & (FILE_WRITE_DATA | GENERIC_WRITE | GENERIC_ALL)) != 0) {
      found |= perms::others_write;
    }
  }
  return found;
}

}  // namespace millrace
