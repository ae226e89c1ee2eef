// What only Windows has.
#include <windows.h>

#include <aclapi.h>
#include <winternl.h>

#include "platform/base/handle_windows.hpp"
#include "platform/base/long_path_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/fs/at_windows.hpp"
#include "platform/fs/os_error.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

Handle open_as_other(const std::filesystem::path& path, DWORD access, DWORD share) {
  Handle handle(
      ::CreateFileW(verbatim(path).c_str(), access, share, nullptr, OPEN_EXISTING, 0, nullptr));
  REQUIRE(handle);
  return handle;
}

constexpr DWORD kAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

}  // namespace

TEST_CASE("only such options are asked for as go together") {
  // What NtCreateFile takes beside FILE_DIRECTORY_FILE.
  constexpr ULONG kOfDirectories = FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_ALERT |
                                   FILE_SYNCHRONOUS_IO_NONALERT | FILE_WRITE_THROUGH |
                                   FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_BY_FILE_ID |
                                   FILE_OPEN_REPARSE_POINT;
  for (const ULONG more : {0, FILE_OPEN_FOR_BACKUP_INTENT})
    CHECK((create_options(FILE_DIRECTORY_FILE | more) & ~kOfDirectories) == 0);
  for (const ULONG wanted : {0, FILE_NON_DIRECTORY_FILE}) {
    CHECK((create_options(wanted) & FILE_OPEN_NO_RECALL) != 0);
    CHECK((create_options(wanted) & FILE_DIRECTORY_FILE) == 0);
  }
}

TEST_CASE("paths far beyond 260 units are made, listed, read and removed [F9]") {
  Scratch scratch;
  const std::string part(100, 'd');
  std::string deep = part;
  for (int i = 0; i < 7; ++i) deep += "/" + part;
  auto root = real_file_system().open_directory(scratch.path()).value();
  root->make_directories(deep).value();
  for (int i = 0; i < 300; ++i)
    root->create(deep + "/" + std::to_string(i)).value()->close().value();
  put(*root, deep + "/one", "1");
  CHECK(names_in(*root, deep).size() == 301);
  CHECK(get(*root, deep + "/one") == "1");
  root->publish(deep + "/one", deep + "/two").value();
  const auto path = root->path() / native_path(deep) / "more";
  auto made = real_file_system().make_directory(path);
  INFO((made ? "" : made.error().message));
  REQUIRE(made);
  const auto below = std::move(*made);
  put(*below, "x", "y");
  CHECK(get(*root, deep + "/more/x") == "y");
  CHECK(below->still_there().value());
  CHECK(below->space().value().free_bytes > 0);
  below->remove("x").value();
  for (const auto& name : names_in(*root, deep))
    if (name != deep + "/more") root->remove(name).value();
  CHECK(names_in(*root, deep).size() == 1);
}

TEST_CASE("two names that differ in case only are one [F7]") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  put(*box, "Photo.PNG", "1");
  CHECK(box->create("photo.png").error().kind == ErrorKind::Exists);
  CHECK(box->info("PHOTO.png").value().size == 1);
  put(*box, "from", "2");
  CHECK(box->publish("from", "photo.png").error().kind == ErrorKind::Exists);
  CHECK(names_in(*box) == std::vector<std::string>{"Photo.PNG", "from"});
}

TEST_CASE("a name never reaches another stream or another folder [K7 K8]") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  put(*box, "a", "1");
  for (const char* name : {"a:b", "a::$DATA", "..\\a", "C:\\a", "sub\\a", "\\\\?\\C:\\a", "a*"}) {
    CHECK(box->open(name).error().kind == ErrorKind::Input);
    CHECK(box->create(name).error().kind == ErrorKind::Input);
    CHECK(box->publish("a", name).error().kind == ErrorKind::Input);
  }
}

TEST_CASE("a writer is seen by how it shares, and never hindered [A1]") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  auto box = real_file_system().open_directory(scratch.path()).value();
  std::byte first{};
  SECTION("one that shares everything") {
    const auto writer = open_as_other(scratch / "a", GENERIC_WRITE, kAll);
    auto file = box->open("a").value();
    CHECK(file->writer() == WriterPresence::Open);
    CHECK(file->read_at(0, std::span(&first, 1)).value() == 1);
  }
  SECTION("one that shares nothing: the file can be looked at and not read") {
    auto writer = open_as_other(scratch / "a", GENERIC_WRITE, 0);
    auto file = box->open("a").value();
    CHECK(file->writer() == WriterPresence::Open);
    CHECK(file->info().value().size == 1);
    CHECK(file->read_at(0, std::span(&first, 1)).error().os_code == ERROR_SHARING_VIOLATION);
    writer = Handle();
    CHECK(file->writer() == WriterPresence::None);
    CHECK(file->read_at(0, std::span(&first, 1)).value() == 1);
  }
  SECTION("a reader is no writer") {
    const auto reader = open_as_other(scratch / "a", GENERIC_READ, FILE_SHARE_READ);
    CHECK(box->open("a").value()->writer() == WriterPresence::None);
  }
  SECTION("a writer may come, rename and delete while we read") {
    auto file = box->open("a").value();
    CHECK(open_as_other(scratch / "a", GENERIC_WRITE | DELETE, kAll));
    std::filesystem::rename(scratch / "a", scratch / "b");
    CHECK(file->read_at(0, std::span(&first, 1)).value() == 1);
  }
}

TEST_CASE("a placeholder is known without being fetched, and not read") {
  Scratch scratch;
  write_file(scratch / "a", "x");
  if (!::SetFileAttributesW((scratch / "a").c_str(), FILE_ATTRIBUTE_OFFLINE) ||
      (::GetFileAttributesW((scratch / "a").c_str()) & FILE_ATTRIBUTE_OFFLINE) == 0) {
    return not_shown_here("Wine keeps no such attribute; the table of attributes is tested");
  }
  auto box = real_file_system().open_directory(scratch.path()).value();
  CHECK(box->info("a").value().placeholder);
  auto file = box->open("a").value();
  CHECK(file->info().value().placeholder);
  CHECK(file->writer() == WriterPresence::Unknown);
  std::byte first{};
  CHECK(file->read_at(0, std::span(&first, 1)).error().os_code == placeholder_code());
}

TEST_CASE("error codes have kinds, and texts") {
  for (const int code : {ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_DIRECTORY})
    CHECK(error_kind_of(code) == ErrorKind::Vanished);
  for (const int code : {ERROR_FILE_EXISTS, ERROR_ALREADY_EXISTS})
    CHECK(error_kind_of(code) == ErrorKind::Exists);
  for (const int code : {ERROR_INVALID_NAME, ERROR_FILENAME_EXCED_RANGE})
    CHECK(error_kind_of(code) == ErrorKind::Input);
  for (const int code : {ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION,
                         ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL, ERROR_WRITE_PROTECT,
                         ERROR_NETNAME_DELETED, ERROR_NOT_READY, ERROR_CRC, ERROR_BAD_NETPATH})
    CHECK(error_kind_of(code) == ErrorKind::Environment);
  const Error error = os_error(ERROR_ACCESS_DENIED, "open a");
  CHECK(error.message.starts_with("open a: "));
  CHECK(error.message.size() > 12);
  CHECK(error.message.find('\n') == std::string::npos);
}

TEST_CASE("a name of 256 units is refused as input [F9]") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  CHECK(box->create(std::string(256, 'x')).error().kind == ErrorKind::Input);
}

TEST_CASE("the kind of a volume tells its root from a folder on it [C4]") {
  Scratch scratch;
  auto root = real_file_system().open_directory(scratch.path().root_path()).value();
  auto below = real_file_system().open_directory(scratch.path()).value();
  CHECK(root->mount_kind().ends_with("/root"));
  CHECK(below->mount_kind().ends_with("/below"));
}

TEST_CASE("a file made for its owner alone inherits nothing") {
  Scratch scratch;
  auto box = real_file_system().open_directory(scratch.path()).value();
  const auto is_protected = [&](const char* name, Access access) {
    auto file = box->create(name, access).value();
    file->write(std::as_bytes(std::span("x", 1))).value();
    file->close().value();
    CHECK(get(*box, name) == "x");
    PSECURITY_DESCRIPTOR found = nullptr;
    std::wstring path = verbatim(scratch / name);
    REQUIRE(::GetNamedSecurityInfoW(path.data(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr,
                                    nullptr, nullptr, nullptr, &found) == ERROR_SUCCESS);
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    DWORD revision = 0;
    ::GetSecurityDescriptorControl(found, &control, &revision);
    ::LocalFree(found);
    return (control & SE_DACL_PROTECTED) != 0;
  };
  const bool shared = is_protected("shared", Access::Shared);
  const bool alone = is_protected("private", Access::OwnerOnly);
  if (under_wine()) return not_shown_here("Wine maps access lists to the modes of Unix");
  CHECK_FALSE(shared);
  CHECK(alone);
}
