// What the account of the service may use, as access lists say it. Used inside this unit only.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "platform/host/service.hpp"

namespace millrace {

// A virtual account: no password, no rights of a user, its own name in access lists.
inline constexpr const wchar_t* kServiceAccount = L"NT SERVICE\\Millrace";
inline constexpr const wchar_t* kPlainAccount = L"NT AUTHORITY\\LocalService";

// Gives our own folder to the account, one of the two above, and lets it into all else that it
// needs, or tells how, as `setup` says; what is refused is a note too.
void let_in(const ServiceSetup& setup, const std::wstring& account,
            std::vector<std::string>& notes);

// The command that an administrator types.
std::string icacls(const std::filesystem::path& path, const std::string& account,
                   const char* rights);

// By its own name; not of a drive that stands for a share.
bool is_on_share(const std::filesystem::path& path);

}  // namespace millrace
