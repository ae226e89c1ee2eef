#include <windows.h>

#include <dpapi.h>

#include <array>
#include <memory>
#include <string>
#include <system_error>

#include "platform/base/access_windows.hpp"
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

constexpr DWORD kMostBytes = 16 * 1024;

fs::path secret_path(const fs::path& config_dir, std::string_view name) {
  return config_dir / "secrets" / std::string(name);
}

Result<std::string> read_file(const fs::path& file) {
  const Handle handle(::CreateFileW(file.c_str(), GENERIC_READ,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, 0, nullptr));
  std::string text(kMostBytes, '\0');
  DWORD size = 0;
  if (!handle || !::ReadFile(handle.get(), text.data(), kMostBytes, &size, nullptr)) {
    return windows_failure(ErrorKind::Configuration, "cannot read the secret in " + path_text(file),
                           ::GetLastError());
  }
  text.resize(size);
  return text;
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
    return windows_failure(ErrorKind::Environment, "cannot write " + path_text(file),
                           ::GetLastError());
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

// For this machine, not for one user: an administrator keeps the key and the service reads it. Who
// may read the file at all is what the folder's access list says.
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
  std::error_code problem;
  const fs::perms mode = permissions_of(file, problem);
  if (problem) {
    return windows_failure(ErrorKind::Configuration, "cannot read the secret in " + path_text(file),
                           static_cast<unsigned long>(problem.value()));
  }
  if ((mode & fs::perms::others_read) != fs::perms::none) {
    return fail(ErrorKind::Configuration, "others may read the secret in " + path_text(file) +
                                              "; run: icacls \"" + path_text(file) +
                                              "\" /inheritance:r /grant:r \"%USERNAME%:R\"");
  }
  auto text = read_file(file);
  if (!text) return text;
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty()) {
    return fail(ErrorKind::Configuration, "the secret in " + path_text(file) + " is empty");
  }
  return text;
}

Result<std::string> read_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return std::unexpected(good.error());
  const fs::path path = secret_path(config_dir, name);
  if (::GetFileAttributesW(path.c_str()) == INVALID_FILE_ATTRIBUTES) {
    return no_such_secret(name, "; run: millrace secret set " + std::string(name));
  }
  auto bytes = read_file(path);
  if (!bytes) return bytes;
  return unprotect(*bytes);
}

Result<void> store_secret(const fs::path& config_dir, std::string_view name,
                          std::string_view value) {
  if (auto good = check_secret_name(name); !good) return good;
  std::error_code problem;
  fs::create_directories(config_dir, problem);
  if (auto made = make_private_folder(config_dir / "secrets"); !made) return made;
  const auto bytes = protect(value);
  if (!bytes) return std::unexpected(bytes.error());
  const fs::path path = secret_path(config_dir, name);
  fs::path fresh = path;
  fresh += ".new";
  if (auto wrote = write_file(fresh, *bytes); !wrote) return wrote;
  if (!::MoveFileExW(fresh.c_str(), path.c_str(),
                     MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
    return windows_failure(ErrorKind::Environment, "cannot write " + path_text(path),
                           ::GetLastError());
  }
  return {};
}

Result<void> remove_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return good;
  const fs::path path = secret_path(config_dir, name);
  if (::DeleteFileW(path.c_str())) return {};
  const DWORD code = ::GetLastError();
  if (code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND) return no_such_secret(name, "");
  return windows_failure(ErrorKind::Environment, "cannot remove " + path_text(path), code);
}

}  // namespace millrace
