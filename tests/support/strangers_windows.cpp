#include <windows.h>

#include <cstdlib>

#include "platform/base/handle_windows.hpp"
#include "platform/base/long_path_windows.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "tests/support/strangers.hpp"

namespace millrace::test {

bool under_wine() {
  return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
}

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

// No list at all lets everybody do everything. SetNamedSecurityInfoW of Wine would hand down what
// the folder above has, although the list is protected from it.
void set_readers(const std::filesystem::path& file, Readers readers) {
  OwnerOnly owner_only;
  SECURITY_DESCRIPTOR open{};
  REQUIRE(::InitializeSecurityDescriptor(&open, SECURITY_DESCRIPTOR_REVISION));
  REQUIRE(::SetSecurityDescriptorDacl(&open, TRUE, nullptr, FALSE));
  REQUIRE(::SetFileSecurityW(
      file.c_str(), DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
      readers == Readers::Owner ? owner_only.get()->lpSecurityDescriptor : &open));
}

void set_mtime(const std::filesystem::path& file, std::int64_t seconds, long ns) {
  constexpr std::int64_t kUnixEpoch = 116'444'736'000'000'000;  // in 100 ns since 1601
  const std::int64_t time = kUnixEpoch + seconds * 10'000'000 + ns / 100;
  const FILETIME written{static_cast<DWORD>(time), static_cast<DWORD>(time >> 32)};
  const Handle handle(::CreateFileW(exact(file).c_str(), FILE_WRITE_ATTRIBUTES,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, 0, nullptr));
  REQUIRE(handle);
  REQUIRE(::SetFileTime(handle.get(), nullptr, nullptr, &written));
}

// For the C library and for Windows.
void set_variable(const char* name, const std::string& value) { ::_putenv_s(name, value.c_str()); }

// std::filesystem::remove_all() of mingw-w64 never ends at a name that ends with a dot.
void remove_tree(const std::filesystem::path& path) {
  const std::wstring folder = verbatim(path);
  WIN32_FIND_DATAW found{};
  const HANDLE listing = ::FindFirstFileW((folder + L"\\*").c_str(), &found);
  if (listing != INVALID_HANDLE_VALUE) {
    do {
      const std::wstring_view leaf(found.cFileName);
      if (leaf == L"." || leaf == L"..") continue;
      const std::filesystem::path below = folder + L"\\" + std::wstring(leaf);
      const bool is_link = (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
      if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 && !is_link) {
        remove_tree(below);
      } else if (!::DeleteFileW(below.c_str())) {
        ::RemoveDirectoryW(below.c_str());
      }
    } while (::FindNextFileW(listing, &found));
    ::FindClose(listing);
  }
  ::RemoveDirectoryW(folder.c_str());
}

// verbatim() would cut a dot at the end, as Windows does.
std::filesystem::path exact(const std::filesystem::path& path) {
  std::filesystem::path preferred = path;
  return L"\\\\?\\" + preferred.make_preferred().native();
}

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
