// Secrets lie in the user's login keychain; in a file where there is none to use: for root, for a
// daemon, which runs before anybody has logged in, and for an account without a keychain. A file
// that is there counts before the keychain.
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <system_error>

#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/host/host.hpp"
#include "platform/host/keychain.hpp"
#include "platform/host/launchd_plist.hpp"
#include "platform/host/secret_files_posix.hpp"
#include "platform/host/secret_name.hpp"
#include "platform/host/tool_posix.hpp"
#include "platform/host/user_posix.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

// It may wait for a person who unlocks the keychain.
constexpr std::chrono::seconds kToolLimit{60};
// A key is asked for with each request, and each answer takes a process.
constexpr std::chrono::seconds kKnownFor{10};

bool has_daemon() {
  std::error_code problem;
  return fs::exists("/Library/LaunchDaemons/" + std::string(kLaunchdLabel) + ".plist", problem);
}

bool uses_keychain() {
  std::error_code problem;
  return geteuid() != 0 && !has_daemon() &&
         fs::exists(home_folder() / "Library" / "Keychains" / "login.keychain-db", problem);
}

// What it said, without the end of its line.
Result<std::string> ask(std::vector<std::string> words, std::string_view input,
                        std::string_view name) {
  auto end = run_tool("/usr/bin/security", std::move(words), input, kToolLimit);
  if (!end && end.error().kind == ErrorKind::Transient) {
    return fail(ErrorKind::Transient,
                "the login keychain does not answer; it may ask for its password in a window");
  }
  if (!end) return std::unexpected(end.error());
  if (end->status != 0) return std::unexpected(keychain::error_of(end->status, name));
  if (end->output.ends_with('\n')) end->output.pop_back();
  return std::move(end->output);
}

Result<std::string> read_from_keychain(std::string_view name) {
  auto value = ask(keychain::words_to_read(name), {}, name);
  if (value || value.error().kind != ErrorKind::Vanished) return value;
  return secret_files::none_to_read(name);
}

// What the keychain has said lately, of every secret that was asked for.
class Known {
 public:
  // One thread asks the keychain, and the others wait for what it hears.
  Result<std::string> read(std::string_view name) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const TimePoint now = std::chrono::steady_clock::now();
    const auto found = known_.find(name);
    if (found != known_.end() && now < found->second.until) return found->second.answer;
    auto answer = read_from_keychain(name);
    known_.insert_or_assign(std::string(name),
                            Answer{answer, std::chrono::steady_clock::now() + kKnownFor});
    return answer;
  }

 private:
  struct Answer {
    Result<std::string> answer;
    TimePoint until;
  };
  Mutex mutex_;
  std::map<std::string, Answer, std::less<>> known_ GUARDED_BY(mutex_);
};

Known& known() {
  static Known all;
  return all;
}

}  // namespace

Result<std::string> read_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return std::unexpected(good.error());
  if (secret_files::exists(config_dir, name)) return secret_files::read(config_dir, name);
  if (!uses_keychain()) return secret_files::none_to_read(name);
  return known().read(name);
}

Result<void> store_secret(const fs::path& config_dir, std::string_view name,
                          std::string_view value) {
  if (auto good = check_secret_name(name); !good) return good;
  if (!uses_keychain()) return secret_files::store(config_dir, name, value);
  const auto line = keychain::line_to_store(name, value);
  if (!line) return std::unexpected(line.error());
  if (auto kept = ask({"-i"}, *line, name); !kept) return std::unexpected(kept.error());
  // An older one in a file would go on counting.
  auto removed = secret_files::remove(config_dir, name);
  if (!removed && removed.error().kind == ErrorKind::Vanished) return {};
  return removed;
}

Result<void> remove_secret(const fs::path& config_dir, std::string_view name) {
  if (auto good = check_secret_name(name); !good) return good;
  auto removed = secret_files::remove(config_dir, name);
  const bool had_file = removed.has_value();
  if (!had_file && removed.error().kind != ErrorKind::Vanished) return removed;
  if (!uses_keychain()) return had_file ? Result<void>{} : secret_files::none(name);
  const auto forgotten = ask(keychain::words_to_remove(name), {}, name);
  if (forgotten) return {};
  if (forgotten.error().kind != ErrorKind::Vanished) return std::unexpected(forgotten.error());
  return had_file ? Result<void>{} : secret_files::none(name);
}

}  // namespace millrace
