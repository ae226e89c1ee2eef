#include <windows.h>

#include <dpapi.h>

#include <array>
#include <memory>
#include <string>
#include <system_error>

#include "platform/base/access_windows.hpp"
#include "platform/base/advice.hpp"
#include "platform/base/handle_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/permissions.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/host.hpp"
#include "platform/host/secret_name.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// What DPAPI adds is some hundred bytes.
constexpr DWORD kMostBytes = kLongestSecret + 4096;

fs::path secret_path(const fs::path& config_dir, std::string_view name) {
  return config_dir / "secrets" / std::string(name);
}

// Of a secret of the service's only an administrator has the right.
std::string advice_about(DWORD code) {
  return code == ERROR_ACCESS_DENIED ? " (open the command prompt with \"Run as administrator\")"
                                     : "";
}

std::unexpected<Error> cannot_read(const fs::path& file, DWORD code) {
  return windows_failure(ErrorKind::Configuration,
                         "cannot read the secret in " + path_text(file) + advice_about(code), code);
}

std::unexpected<Error> cannot_change(const fs::path& file, DWORD code) {
  return windows_failure(ErrorKind::Environment,
                         "cannot write " + path_text(file) + advice_about(code), code);
}

Result<std::string> read_file(const fs::path& file) {
  const Handle handle(::CreateFileW(file.c_str(), GENERIC_READ,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, 0, nullptr));
  std::string text(kMostBytes, '\0');
  DWORD size = 0;
  if (!handle || !::ReadFile(handle.get(), text.data(), kMostBytes, &size, nullptr)) {
    return cannot_read(file, ::GetLastError());
  }
  text.resize(size);
  return text;
}

Result<std::string> read_private(const fs::path& file) {
  std::error_code problem;
  const fs::perms mode = permissions_of(file, problem);
  if (problem) return cannot_read(file, static_cast<DWORD>(problem.value()));
  if ((mode & fs::perms::others_read) != fs::perms::none) {
    return fail(ErrorKind::Configuration, "others may read the secret in " + path_text(file) +
                                              "; run: " + how_to_close(file));
  }
  return read_file(file);
}

Result<void> write_file(const fs::path& file, std::string_view bytes) {
  ::DeleteFileW(file.c_str());  // what an interrupted write has left
  OwnerOnly owner_only;
  const Handle handle(
      ::CreateFileW(file.c_str(), GENERIC_WRITE, 0, owner_only.get(), CREATE_NEW, 0, nullptr));
  DWORD wrote = 0;
  if (!handle ||
      !::WriteFile(handle.get(), bytes.data(), static_cast<DWORD>(bytes.size()), &wrote, nullptr) ||
      !::FlushFileBuffers(handle.get())) {
    return cannot_change(file, ::GetLastError());
  }
  return {};
}

DATA_BLOB blob_of(std::string_view bytes) {
  return {static_cast<DWORD>(bytes.size()),
          reinterpret_cast<BYTE*>(const_cast<char*>(bytes.data()))};
}

// Takes over what DPAPI allocated.
std::string taken(DATA_BLOB& blob) {
  std::string text(reinterpret_cast<const char*>(blob.pbData), blob.cbData);
  ::SecureZeroMemory(blob.pbData, blob.cbData);
  ::LocalFree(blob.pbData);
  return text;
}

// For this machine, not for one user: a person keeps the key and the service, which is another
// account, reads it. So the encryption helps against a copy of the file that lies elsewhere, in a
// backup say, and against nobody on this machine: that is what the file's access list is for, and
// read_secret() refuses a file whose list lets others in. The other way, a key for the service's
// account alone, could be kept by nobody but the service itself.
Result<std::string> protect(std::string_view value) {
  DATA_BLOB in = blob_of(value), out{};
  if (!::CryptProtectData(&in, L"Millrace", nullptr, nullptr, nullptr,
                          CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN, &out)) {
    return windows_failure(ErrorKind::Environment, "encrypt the secret", ::GetLastError());
  }
  return taken(out);
}

Result<std::string> unprotect(std::string_view bytes) {
  DATA_BLOB in = blob_of(bytes), out{};
  if (!::CryptUnprotectData(&in, nullptr, nullptr, nullptr, nullptr, CRYPTPROTECT_UI_FORBIDDEN,
                            &out)) {
    return windows_failure(ErrorKind::Configuration, "decrypt the secret", ::GetLastError());
  }
  return taken(out);
}

std::unexpected<Error> no_such_secret(std::string_view name, std::string_view advice) {
  return fail(ErrorKind::Configuration,
              "there is no secret `" + std::string(name) + "`" + std::string(advice));
}

}  // namespace

Result<std::string> read_secret_file(const fs::path& file) {
  auto text = read_private(file);
  if (!text) return text;
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty()) {
    return fail(ErrorKind::Configuration, "the secret in " + path_text(file) + " is empty");
  }
  if (text->size() > kLongestSecret) return too_long("the secret in " + path_text(file));
  return text;
}

Result<std::string> read_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return std::unexpected(good.error());
  const fs::path path = secret_path(config_dir, name);
  if (::GetFileAttributesW(path.c_str()) == INVALID_FILE_ATTRIBUTES) {
    return no_such_secret(name, "; run: millrace secret set " + std::string(name));
  }
  auto bytes = read_private(path);
  if (!bytes) return bytes;
  return unprotect(*bytes);
}

Result<void> store_secret(const fs::path& config_dir, std::string_view name,
                          std::string_view value) {
  if (auto good = check_secret_name(name); !good) return good;
  std::error_code problem;
  fs::create_directories(config_dir, problem);
  if (value.size() > kLongestSecret) return too_long("the secret");
  if (auto made = make_private_folder(config_dir / "secrets"); !made) return made;
  const auto bytes = protect(value);
  if (!bytes) return std::unexpected(bytes.error());
  const fs::path path = secret_path(config_dir, name);
  fs::path fresh = path;
  fresh += ".new";
  Result<void> stored = write_file(fresh, *bytes);
  if (stored && !::MoveFileExW(fresh.c_str(), path.c_str(),
                               MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    stored = cannot_change(path, ::GetLastError());
  }
  if (!stored) ::DeleteFileW(fresh.c_str());
  return stored;
}

Result<void> remove_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return good;
  const fs::path path = secret_path(config_dir, name);
  if (::DeleteFileW(path.c_str())) return {};
  const DWORD code = ::GetLastError();
  if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return no_such_secret(name, "");
  return cannot_change(path, code);
}

}  // namespace millrace
