#include "agent/cli/failure_file.hpp"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLineBegin = "{\"source\":";
constexpr std::size_t kReadAtOnce = 1000;

std::string iso_text(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{
      std::chrono::floor<std::chrono::milliseconds>(time - std::chrono::sys_days{day})};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

// Whether nothing would be lost with it: it is empty, or we wrote it.
Result<bool> is_ours(Directory& directory, const std::string& name) {
  auto file = directory.open(name);
  if (!file) return std::unexpected(file.error());
  std::array<std::byte, kLineBegin.size()> begin{};
  std::size_t have = 0;
  while (have < begin.size()) {
    const auto n = (*file)->read_at(have, std::span(begin).subspan(have));
    if (!n) return std::unexpected(n.error());
    if (*n == 0) break;
    have += *n;
  }
  const std::string_view text(reinterpret_cast<const char*>(begin.data()), have);
  return kLineBegin.starts_with(text);
}

Result<std::unique_ptr<NewFile>> make_anew(Directory& directory, const std::string& name) {
  auto made = directory.create(name, Access::Shared);
  if (made || made.error().kind != ErrorKind::Exists) return made;
  const auto ours = is_ours(directory, name);
  if (!ours) return std::unexpected(ours.error());
  if (!*ours) return fail(ErrorKind::Exists, "the file is there already and holds no failures");
  if (auto removed = directory.remove(name); !removed) return std::unexpected(removed.error());
  return directory.create(name, Access::Shared);
}

std::unexpected<Error> cannot_write(const fs::path& path, const std::string& why) {
  return fail(ErrorKind::Configuration, "--failures " + path_text(path) + ": " + why);
}

}  // namespace

std::string failure_line(const JobView& failure) {
  nlohmann::ordered_json json{
      {"source", printable(failure.candidate.folder + "/" + failure.candidate.name)},
      {"to", failure.target},
      {"kind", failure.kind},
      {"reason", printable(failure.reason)},
      {"attempts", failure.attempts}};
  if (failure.http_status != 0) json["http_status"] = failure.http_status;
  if (failure.finished) json["time"] = iso_text(*failure.finished);
  json["job"] = failure.id;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<std::unique_ptr<FailureFile>> FailureFile::begin(const fs::path& path) {
  if (!path.has_filename()) return cannot_write(path, "it is a folder");
  auto directory = real_file_system().open_directory(path.parent_path());
  if (!directory) return cannot_write(path, directory.error().message);
  auto file = make_anew(**directory, path_text(path.filename()));
  if (!file) return cannot_write(path, file.error().message);
  if (auto synced = (*directory)->sync_directory(""); !synced)
    return cannot_write(path, synced.error().message);
  return std::unique_ptr<FailureFile>(new FailureFile(std::move(*directory), std::move(*file)));
}

Result<void> FailureFile::add(std::span<const JobView> failures) {
  if (broken_) return fail(ErrorKind::Environment, "an earlier failure could not be written");
  if (failures.empty()) return {};
  std::string lines;
  for (const JobView& failure : failures) lines += failure_line(failure);
  auto written = file_->write(std::as_bytes(std::span(lines)));
  if (written) written = file_->sync();
  broken_ = !written;
  return written;
}

void FailureNotes::note(JobId job) {
  const MutexLock lock(mutex_);
  noted_.push_back(job);
}

Result<void> FailureNotes::write_earlier(LedgerReader& reader) {
  for (JobId last = 0;;) {
    auto some = reader.failures_behind(last, kReadAtOnce);
    if (!some) return std::unexpected(some.error());
    if (some->empty()) return {};
    last = some->back().id;
    std::erase_if(*some, [&](const JobView& one) { return !wanted_(one); });
    for (const JobView& one : *some) earlier_.insert(one.id);
    if (auto added = file_->add(*some); !added) return added;
  }
}

Result<void> FailureNotes::write_noted(LedgerReader& reader) {
  std::vector<JobId> noted;
  {
    const MutexLock lock(mutex_);
    noted.swap(noted_);
  }
  std::vector<JobView> failures;
  Result<void> asked;
  auto at = noted.begin();
  for (; at != noted.end() && asked; ++at) {
    if (earlier_.contains(*at)) continue;
    auto found = reader.failures_behind(*at - 1, 1);
    if (!found) {
      asked = std::unexpected(found.error());
      break;
    }
    if (!found->empty() && found->front().id == *at && wanted_(found->front()))
      failures.push_back(std::move(found->front()));
  }
  if (at != noted.end()) {
    const MutexLock lock(mutex_);
    noted_.insert(noted_.end(), at, noted.end());
  }
  if (auto added = file_->add(failures); !added) return added;
  return asked;
}

}  // namespace millrace
