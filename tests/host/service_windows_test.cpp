#include "platform/host/service.hpp"

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "platform/base/access_windows.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/permissions.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/service_access_windows.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/strangers.hpp"

namespace millrace {

// What the manager is asked to do for real is in tests/e2e/windows_service_test.py, which has a
// Windows of its own.
TEST_CASE("what is not installed can be neither started nor stopped nor removed") {
  const auto manager = open_service_manager(ServiceScope::User);
  REQUIRE(manager);
  CHECK((*manager)->status().error().kind == ErrorKind::Vanished);
  CHECK((*manager)->start().error().kind == ErrorKind::Vanished);
  CHECK((*manager)->stop().error().kind == ErrorKind::Vanished);
  const auto removed = (*manager)->uninstall();
  REQUIRE_FALSE(removed);
  CHECK(removed.error().kind == ErrorKind::Vanished);
  CHECK(removed.error().message.find("not installed") != std::string::npos);
}

TEST_CASE("a program that a person starts is no service") {
  CHECK(run_under_service_manager([] { return is_service() ? 0 : 7; }) == 7);
  CHECK_FALSE(is_service());
  write_event(EventLevel::Error, "nobody hears of this");
}

TEST_CASE("the program holds the texts of its events") {
  for (const DWORD number : {1, 2}) {
    std::array<wchar_t, 100> text{};
    std::wstring line = L"the line itself";
    std::array<DWORD_PTR, 1> words{reinterpret_cast<DWORD_PTR>(line.data())};
    const DWORD size = ::FormatMessageW(
        FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_ARGUMENT_ARRAY, nullptr, number, 0,
        text.data(), static_cast<DWORD>(text.size()), reinterpret_cast<va_list*>(words.data()));
    CHECK(to_utf8({text.data(), size}) == "the line itself\r\n");
  }
}

TEST_CASE("the account of the service is on the list of what is private") {
  OwnerOnly owner_only;
  LPWSTR text = nullptr;
  REQUIRE(::ConvertSecurityDescriptorToStringSecurityDescriptorW(
      owner_only.get()->lpSecurityDescriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text,
      nullptr));
  const std::string list = to_utf8(text);
  ::LocalFree(text);
  CHECK(list.find(to_utf8(kServiceSid)) != std::string::npos);
  CHECK(list.find("WD") == std::string::npos);  // everybody
}

TEST_CASE("a folder that is there can be made private") {
  const test::Scratch home;
  // Wine hands down the list of the folder above, although this one is protected from it.
  REQUIRE(make_private_folder(home / "above"));
  std::filesystem::create_directory(home / "above" / "own");
  test::set_readers(home / "above" / "own", test::Readers::Everybody);
  const auto made = make_private(home / "above" / "own");
  INFO((made ? "" : made.error().message));
  REQUIRE(made);
  std::error_code problem;
  CHECK(permissions_of(home / "above" / "own", problem) == std::filesystem::perms::none);
  CHECK_FALSE(problem);
}

TEST_CASE("what lies on a share is told from what lies here, however it is written") {
  for (const wchar_t* path :
       {L"\\\\nas\\scans", L"\\\\nas\\scans\\in", L"\\\\?\\UNC\\nas\\scans\\in"})
    CHECK(is_on_share(path));
  for (const wchar_t* path :
       {L"C:\\in", L"\\\\?\\C:\\in", L"\\\\?\\Volume{1-2}\\in", L"\\\\.\\C:\\in"})
    CHECK_FALSE(is_on_share(path));
}

TEST_CASE("of each path that the account needs one note says how to let it in") {
  const test::Scratch home;
  ServiceSetup setup;
  setup.own_folder = home / "own";
  std::filesystem::create_directory(setup.own_folder);
  std::filesystem::create_directory(home / "in");
  test::write_file(home / "ca.pem", "");
  test::write_file(home / "millrace.exe", "");
  test::set_readers(home / "millrace.exe", test::Readers::Everybody);
  setup.program = home / "millrace.exe";
  setup.used = {setup.own_folder / "config.toml", home / "in", home / "in" / "below",
                home / "ca.pem", "\\\\nas\\scans\\in"};
  setup.made_later = {home / "done", home / "in"};
  std::vector<std::string> notes;
  let_in(setup, kServiceAccount, notes);
  const auto about = [&](const std::string& part) {
    return std::ranges::count_if(
        notes, [&](const std::string& note) { return note.find(part) != std::string::npos; });
  };
  CHECK(about("icacls") == 3);
  CHECK(about("(OI)(CI)M\"") == 2);
  CHECK(about("ca.pem\" /grant \"NT SERVICE\\Millrace:R\"") == 1);
  CHECK(about("done; make it, and run: icacls") == 1);
  CHECK(about("\\\\nas\\scans\\in is on a share") == 1);
  CHECK_FALSE(std::filesystem::exists(home / "done"));

  setup.access = AccountAccess::Granted;
  notes.clear();
  let_in(setup, kServiceAccount, notes);
  CHECK(about("icacls") == 0);
  CHECK(about("is on a share") == 1);
  CHECK(std::filesystem::is_directory(home / "done"));
}

std::string access_list_of(const std::filesystem::path& path) {
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  LPWSTR text = nullptr;
  REQUIRE(::GetNamedSecurityInfoW(path.c_str(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr,
                                  nullptr, nullptr, nullptr, &descriptor) == ERROR_SUCCESS);
  REQUIRE(::ConvertSecurityDescriptorToStringSecurityDescriptorW(
      descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, nullptr));
  std::string list = to_utf8(text);
  ::LocalFree(text);
  ::LocalFree(descriptor);
  return list;
}

TEST_CASE("an account is let into a folder, and all others keep what they may do") {
  const test::Scratch home;
  std::filesystem::create_directory(home / "in box");
  test::write_file(home / "in box/a.png", "a");
  for (const std::filesystem::path& path : {home / "in box", home / "in box/a.png"}) {
    std::error_code problem;
    const auto before = permissions_of(path, problem);
    const auto granted = grant_use(path, kServiceSid);
    INFO((granted ? "" : granted.error().message));
    REQUIRE(granted);
    CHECK(permissions_of(path, problem) == before);
    CHECK(test::read_file(home / "in box/a.png") == "a");
    if (test::under_wine()) {
      test::not_shown_here("entries of access lists: Wine keeps modes");
    } else {
      CHECK(access_list_of(path).find(to_utf8(kServiceSid)) != std::string::npos);
    }
  }
  CHECK_FALSE(grant_use(home / "gone", kServiceSid));
}

}  // namespace millrace
