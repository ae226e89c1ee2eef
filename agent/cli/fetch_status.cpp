#include "agent/cli/fetch_status.hpp"

#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "platform/fs/atomic_file.hpp"
#include "platform/fs/small_file.hpp"
#include "platform/host/host.hpp"

namespace millrace {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kName = "progress.json";
constexpr std::uint64_t kLongest = 64 * 1024;
constexpr Duration kEvery = std::chrono::seconds{1};

// Durable need not be what is wrong a second later.
Result<void> put(Directory& folder, const std::string& text) {
  auto file = AtomicFile::begin(folder, kName, "progress", Access::OwnerOnly, Durability::None);
  if (!file) return std::unexpected(file.error());
  if (auto wrote = (*file)->write(std::as_bytes(std::span(text))); !wrote) return wrote;
  if (auto finished = (*file)->finish(); !finished) return finished;
  return (*file)->replace();
}

Json read(const fs::path& state_dir) {
  auto folder = real_file_system().open_directory(state_dir);
  if (!folder) return {};
  const auto text = read_small_file(**folder, kName, kLongest);
  return text ? Json::parse(*text, nullptr, false) : Json();
}

}  // namespace

FetchStatus::FetchStatus(const fs::path& state_dir, std::string list, std::string into,
                         TimePoint began)
    : list_(std::move(list)), into_(std::move(into)), began_(began), next_(began) {
  if (auto folder = real_file_system().open_directory(state_dir)) folder_ = std::move(*folder);
}

FetchStatus::~FetchStatus() {
  if (folder_) static_cast<void>(folder_->remove(kName));
}

void FetchStatus::show(const DownloadTally& tally, TimePoint now) {
  if (!folder_ || now < next_) return;
  next_ = now + kEvery;
  const Json json{{"list", list_},
                  {"into", into_},
                  {"fetched", tally.fetched},
                  {"skipped", tally.skipped},
                  {"failed", tally.failed},
                  {"waiting", tally.waiting},
                  {"whole_list", tally.list_ended},
                  {"bytes", tally.bytes},
                  {"seconds", std::chrono::duration<double>(now - began_).count()}};
  static_cast<void>(put(*folder_, json.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

Json running_fetches(const fs::path& state_root) {
  Json fetches = Json::array();
  std::error_code problem;
  for (fs::directory_iterator at(state_root / "batch", problem), end; !problem && at != end;
       at.increment(problem)) {
    Json fetch = read(at->path());
    if (fetch.is_object() && instance_runs(at->path())) fetches.push_back(std::move(fetch));
  }
  return fetches;
}

}  // namespace millrace
