#include <string_view>
#include <system_error>

#include "platform/base/advice.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/wide_windows.hpp"

// icacls takes accounts by their names, which differ from language to language, or as `*` and a
// security identifier.
// https://learn.microsoft.com/windows-server/administration/windows-commands/icacls
namespace millrace {
namespace {

constexpr std::string_view kAsAdministrator =
    ", in a command prompt opened with \"Run as administrator\"";

// Everybody, every user who is logged on, the users of this machine, those who sit at it.
constexpr std::string_view kOthers = "*S-1-1-0 *S-1-5-11 *S-1-5-32-545 *S-1-5-4";

std::string icacls(const std::filesystem::path& path, std::string_view what) {
  return "icacls " + shell_text(path_text(path)) + " " + std::string(what);
}

// What is in a folder takes over what its list says so.
std::string inherited_in(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? "(OI)(CI)" : "";
}

std::string let_in(const std::filesystem::path& path, std::string_view right) {
  return "let the account that runs the agent in; the service: " +
         icacls(path,
                "/grant \"NT SERVICE\\Millrace:" + inherited_in(path) + std::string(right) + "\"") +
         std::string(kAsAdministrator);
}

}  // namespace

// No path of Windows has a quote in it.
std::string shell_text(const std::string& path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/\\._-+:";
  if (!path.empty() && path.find_first_not_of(kPlain) == std::string::npos) return path;
  return '"' + path + '"';
}

std::string how_to_make_folder(const std::filesystem::path& folder) {
  return "mkdir " + shell_text(path_text(std::filesystem::path(folder).make_preferred()));
}

std::string how_to_let_read(const std::filesystem::path& path) { return let_in(path, "RX"); }

std::string how_to_let_write(const std::filesystem::path& folder) { return let_in(folder, "M"); }

// The list that our own files have (OwnerOnly): the system, the administrators, the owner, and the
// service, which may not change the list.
std::string how_to_close(const std::filesystem::path& path) {
  const std::string how = inherited_in(path);
  std::string grants = " /grant:r";
  for (const char* all : {"S-1-5-18", "S-1-5-32-544", "S-1-3-4"})
    grants += " \"*" + std::string(all) + ":" + how + "F\"";
  grants += " \"*" + to_utf8(kServiceSid) + ":" + how + "M\"";
  return icacls(path, "/inheritance:r /remove:g " + std::string(kOthers) + grants) +
         std::string(kAsAdministrator);
}

// Who may read it is not told apart from who may change it.
std::string how_to_keep_from_change(const std::filesystem::path& file) {
  return how_to_close(file);
}

std::string how_to_set_clock() { return "w32tm /resync"; }

// https://learn.microsoft.com/windows-server/identity/ad-cs/configure-trusted-roots-disallowed-certificates
std::string how_to_trust_more() {
  return "Windows fetches an authority when one of its own programs needs it first: open the "
         "address once in Edge, or run certutil -syncWithWU FOLDER and certutil -addstore Root "
         "FOLDER\\FILE, or set `ca_file`";
}

}  // namespace millrace
