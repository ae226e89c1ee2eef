#include "platform/host/service_access_windows.hpp"

#include <windows.h>

#ifndef SECURITY_WIN32
#define SECURITY_WIN32
#endif
#include <security.h>

#include <algorithm>
#include <array>

#include "platform/base/access_windows.hpp"
#include "platform/base/long_path_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/permissions.hpp"
#include "platform/base/wide_windows.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const wchar_t* kPlainSid = L"S-1-5-19";

void note_failure(const Result<void>& result, std::vector<std::string>& notes) {
  if (!result) notes.push_back(result.error().message);
}

// The service's account is on the list of all that is ours.
void give(const fs::path& own_folder, std::vector<std::string>& notes) {
  note_failure(make_private(own_folder), notes);
  // These have lists of their own, and take none over.
  std::error_code problem;
  for (const char* name : {"run", "secrets"}) {
    const fs::path folder = own_folder / name;
    if (!fs::is_directory(folder, problem)) continue;
    note_failure(make_private(folder), notes);
    for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
         entry.increment(problem)) {
      note_failure(make_private(entry->path()), notes);
    }
  }
}

bool is_beneath(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

// `CORP\PC01$`, as which services of this machine log on elsewhere; empty in no domain.
std::string computer_account() {
  std::array<wchar_t, 512> name{};
  ULONG size = static_cast<ULONG>(name.size());
  if (!::GetComputerObjectNameW(NameSamCompatible, name.data(), &size)) return {};
  return to_utf8(name.data());
}

// Another machine knows none of our accounts, and its lists are not ours to change.
std::string how_to_give_share(const fs::path& path, const std::wstring& account) {
  const std::string machine = account == kServiceAccount ? computer_account() : "";
  if (!machine.empty()) {
    return path_text(path) + " is on a share, where the service is " + machine +
           ": let that account change files there, on the share and in the folder";
  }
  return path_text(path) +
         " is on a share, which knows no account of this service: let the service log on as a "
         "user whom the share knows (services.msc, Millrace, Log On)";
}

// Lets the account use all that it needs, or says how. What it is let into holds for all beneath.
class LetIn {
 public:
  LetIn(const ServiceSetup& setup, const std::wstring& account, std::vector<std::string>& notes)
      : grants_(setup.access == AccountAccess::Granted), account_(account), notes_(notes) {
    if (account == kServiceAccount) done_.push_back(setup.own_folder);
  }

  void use(const fs::path& path) {
    if (is_done(path)) return;
    std::error_code problem;
    const bool file = fs::is_regular_file(path, problem);
    if (grants_) return note_failure(grant_use(path, sid()), notes_);
    notes_.push_back(needs(path) + "; run: " + icacls(path, name(), file ? "R" : "(OI)(CI)M"));
  }

  void make_and_use(const fs::path& folder) {
    std::error_code problem;
    if (fs::exists(folder, problem)) return use(folder);
    if (is_done(folder)) return;
    if (!grants_) {
      notes_.push_back(needs(folder) +
                       "; make it, and run: " + icacls(folder, name(), "(OI)(CI)M"));
      return;
    }
    fs::create_directories(folder, problem);
    note_failure(grant_use(folder, sid()), notes_);
  }

  // All users may run what lies where programs do.
  void run(const fs::path& program) {
    std::error_code problem;
    const fs::perms allowed = permissions_of(program, problem);
    if (!problem && (allowed & fs::perms::others_read) != fs::perms::none) return;
    if (is_done(program)) return;
    if (grants_) return note_failure(grant_use(program, sid(), FileUse::Run), notes_);
    notes_.push_back(needs(program) + "; run: " + icacls(program, name(), "RX"));
  }

 private:
  bool is_done(const fs::path& path) {
    const auto covers = [&](const fs::path& folder) { return is_beneath(path, folder); };
    if (std::ranges::any_of(done_, covers)) return true;
    done_.push_back(path);
    if (!is_on_share(path)) return false;
    notes_.push_back(how_to_give_share(path, account_));
    return true;
  }
  const wchar_t* sid() const { return account_ == kServiceAccount ? kServiceSid : kPlainSid; }
  std::string name() const { return to_utf8(account_); }
  std::string needs(const fs::path& path) const { return name() + " needs " + path_text(path); }

  const bool grants_;
  const std::wstring account_;
  std::vector<std::string>& notes_;
  std::vector<fs::path> done_;
};

}  // namespace

std::string icacls(const fs::path& path, const std::string& account, const char* rights) {
  return "icacls \"" + path_text(path) + "\" /grant \"" + account + ":" + rights + "\"";
}

bool is_on_share(const fs::path& path) {
  const std::wstring plain = without_prefix(path.native()).native();
  return plain.starts_with(L"\\\\") && !plain.starts_with(L"\\\\?\\") &&
         !plain.starts_with(L"\\\\.\\");
}

void let_in(const ServiceSetup& setup, const std::wstring& account,
            std::vector<std::string>& notes) {
  give(setup.own_folder, notes);
  LetIn list(setup, account, notes);
  // Any other account is on no list yet.
  if (account != kServiceAccount) list.use(setup.own_folder);
  for (const fs::path& path : setup.used) list.use(path);
  for (const fs::path& folder : setup.made_later) list.make_and_use(folder);
  list.run(setup.program);
}

}  // namespace millrace
