#include "agent/queue/fair_queue.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <utility>

namespace millrace {
namespace {

struct Queued {
  std::uint64_t number;  // of arrival
  Job job;
};

// Jobs of one lane that go through one converter, oldest first.
struct Line {
  std::deque<Queued> jobs;
  std::size_t begin_at = 0;  // past jobs that were refused the last time
};

struct Lane {
  std::map<std::string, Line> lines;  // by converter
  std::size_t size = 0;
};

struct Folder {
  std::string name;
  std::array<Lane, 2> lanes;  // fresh, deferred
  std::size_t turn = 0;       // the lane that comes next
  bool blocked = false;
  std::size_t size() const { return lanes[0].size + lanes[1].size; }
};

using Admits = std::function<Admission(const Job&)>;

// What was refused in this pick.
struct Closed {
  std::set<std::string> converters;
  bool folder = false;  // the one that is looked at
};

std::size_t lane_of(const Job& job) { return job.deferred ? 1 : 0; }

std::optional<Job> take_from(Line& line, const std::string& converter, const Admits& admits,
                             Closed& closed) {
  const std::size_t count = line.jobs.size();
  const std::size_t looks = std::min(count, FairQueue::kMostLooks);
  for (std::size_t look = 0; look < looks; ++look) {
    const std::size_t at = (line.begin_at + look) % count;
    const Admission said = admits(line.jobs[at].job);
    if (said == Admission::SkipConverter) closed.converters.insert(converter);
    if (said == Admission::SkipFolder) closed.folder = true;
    if (said == Admission::SkipConverter || said == Admission::SkipFolder) return std::nullopt;
    if (said == Admission::SkipJob) continue;
    Job job = std::move(line.jobs[at].job);
    line.jobs.erase(line.jobs.begin() + static_cast<std::ptrdiff_t>(at));
    line.begin_at = 0;
    return job;
  }
  line.begin_at = looks < count ? (line.begin_at + looks) % count : 0;
  return std::nullopt;
}

std::optional<Job> take_from(Lane& lane, const Admits& admits, Closed& closed) {
  std::vector<std::map<std::string, Line>::iterator> oldest_first;
  for (auto line = lane.lines.begin(); line != lane.lines.end(); ++line) {
    oldest_first.push_back(line);
  }
  std::ranges::sort(oldest_first, {},
                    [](const auto& line) { return line->second.jobs.front().number; });
  for (const auto& line : oldest_first) {
    if (closed.folder) break;
    if (closed.converters.contains(line->first)) continue;
    auto job = take_from(line->second, line->first, admits, closed);
    if (!job) continue;
    --lane.size;
    if (line->second.jobs.empty()) lane.lines.erase(line);
    return job;
  }
  return std::nullopt;
}

std::optional<Job> take_from(Folder& folder, const Admits& admits, Closed& closed) {
  closed.folder = false;
  for (const std::size_t lane : {folder.turn, 1 - folder.turn}) {
    auto job = take_from(folder.lanes[lane], admits, closed);
    if (!job) continue;
    folder.turn = 1 - lane;
    return job;
  }
  return std::nullopt;
}

}  // namespace

struct FairQueue::State {
  std::size_t window;
  std::vector<Folder> folders;  // a ring
  std::size_t turn = 0;         // the folder that comes next
  std::uint64_t arrivals = 0;
  std::size_t size = 0;

  Folder* find(const std::string& name) {
    const auto folder = std::ranges::find(folders, name, &Folder::name);
    return folder == folders.end() ? nullptr : &*folder;
  }
  Folder& get(const std::string& name) {
    if (Folder* folder = find(name)) return *folder;
    folders.emplace_back().name = name;
    return folders.back();
  }
};

FairQueue::FairQueue(std::size_t window_per_folder) : state_(std::make_unique<State>()) {
  state_->window = window_per_folder;
}
FairQueue::~FairQueue() = default;

void FairQueue::add_folder(const std::string& folder) { state_->get(folder); }

void FairQueue::remove_folder(const std::string& folder) {
  const Folder* gone = state_->find(folder);
  if (gone == nullptr) return;
  const auto at = static_cast<std::size_t>(gone - state_->folders.data());
  state_->size -= gone->size();
  state_->folders.erase(state_->folders.begin() + static_cast<std::ptrdiff_t>(at));
  if (at < state_->turn) --state_->turn;
}

void FairQueue::push(Job job) {
  Lane& lane = state_->get(job.candidate.folder).lanes[lane_of(job)];
  ++lane.size;
  ++state_->size;
  lane.lines[job.converter].jobs.push_back({state_->arrivals++, std::move(job)});
}

void FairQueue::block(const std::string& folder) { state_->get(folder).blocked = true; }

void FairQueue::unblock(const std::string& folder) { state_->get(folder).blocked = false; }

std::optional<Job> FairQueue::next(const Admits& admits) {
  const std::size_t count = state_->folders.size();
  Closed closed;
  for (std::size_t step = 0; step < count; ++step) {
    const std::size_t at = (state_->turn + step) % count;
    Folder& folder = state_->folders[at];
    if (folder.blocked) continue;
    if (auto job = take_from(folder, admits, closed)) {
      state_->turn = (at + 1) % count;
      --state_->size;
      return job;
    }
  }
  return std::nullopt;
}

std::optional<Job> FairQueue::next(const std::function<bool(const Job&)>& admits) {
  return next(
      Admits([&](const Job& job) { return admits(job) ? Admission::Take : Admission::SkipJob; }));
}

std::size_t FairQueue::room(const std::string& folder, bool deferred) const {
  const Folder* found = state_->find(folder);
  const std::size_t used = found == nullptr ? 0 : found->lanes[deferred ? 1 : 0].size;
  return used < state_->window ? state_->window - used : 0;
}

std::size_t FairQueue::size(const std::string& folder) const {
  const Folder* found = state_->find(folder);
  return found == nullptr ? 0 : found->size();
}

std::size_t FairQueue::size() const { return state_->size; }

std::vector<Job> FairQueue::take_all(const std::string& folder) {
  Folder* found = state_->find(folder);
  if (found == nullptr) return {};
  std::vector<Queued> all;
  for (Lane& lane : found->lanes) {
    for (auto& [converter, line] : std::exchange(lane, {}).lines) {
      std::ranges::move(line.jobs, std::back_inserter(all));
    }
  }
  std::ranges::sort(all, {}, &Queued::number);
  state_->size -= all.size();
  std::vector<Job> jobs;
  for (Queued& queued : all) jobs.push_back(std::move(queued.job));
  return jobs;
}

}  // namespace millrace
