#include "agent/pipeline/dispatcher.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "agent/report/log.hpp"

namespace millrace {
namespace {

constexpr Duration kFirstBlock = std::chrono::seconds{1};
constexpr Duration kLongestBlock = std::chrono::seconds{10};
// Each may hold its worker for hours, and has connections of its own.
constexpr int kListsAtOnce = 4;
constexpr const char* kByHand = "paused by hand";

GateNews to_gate_news(const RateNews& news) {
  return {news.quota_remaining, news.quota_limit, news.window_remaining, news.window_limit,
          news.window_reset};
}

}  // namespace

GateRules gate_rules_of(const ConverterSettings& settings, std::optional<int> workers_asked_for) {
  GateRules rules;
  if (settings.downloads) {
    // The other keys are for what a list asks of its hosts.
    rules.concurrency = kListsAtOnce;
    return rules;
  }
  rules.concurrency = settings.concurrency;
  // What is converted on this machine is bounded by it, and not by a stranger's rules.
  if (settings.embedded)
    rules.start_concurrency = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (workers_asked_for && !settings.concurrency) {
    rules.start_concurrency = *workers_asked_for;
    rules.only_overload_lowers = true;
  }
  rules.rate_per_second = settings.rate_per_second;
  rules.quota_floor_share = settings.quota_floor_share;
  rules.quota_floor = settings.quota_floor;
  rules.monthly_budget = settings.monthly_budget;
  return rules;
}

Dispatcher::Dispatcher(const Clock& clock, std::size_t workers)
    : clock_(clock), workers_(workers), random_(std::random_device{}()) {}

void Dispatcher::add_folder(std::shared_ptr<Folder> folder) {
  const MutexLock lock(mutex_);
  const std::string name = folder->settings.name;
  FolderState& state = folders_[name];
  state.folder = std::move(folder);
  state.paused = paused_.contains(name);
  queue_.add_folder(name);
  changed_.notify_all();
}

std::vector<Job> Dispatcher::remove_folder(const std::string& name) {
  const MutexLock lock(mutex_);
  std::vector<Job> jobs = queue_.take_all(name);
  queue_.remove_folder(name);
  folders_.erase(name);
  return jobs;
}

void Dispatcher::set_service(std::shared_ptr<Service> service, const GateRules& rules) {
  const MutexLock lock(mutex_);
  const std::string account = service->account();
  const std::string before = account_of(service->settings.name);
  if (before != account) {
    if (!before.empty() && --accounts_[before].users == 0) accounts_.erase(before);
    ++accounts_[account].users;
  }
  Account& entry = accounts_[account];
  if (entry.gate) {
    entry.gate->set_rules(rules);
  } else {
    // The gate calls this under our lock only.
    auto random = [this]() NO_THREAD_SAFETY_ANALYSIS {
      return std::uniform_real_distribution<double>{}(random_);
    };
    entry.gate = std::make_unique<Gate>(rules, random);
  }
  if (paused_.contains(service->settings.name)) entry.gate->pause(kByHand);
  services_[service->settings.name] = std::move(service);
  changed_.notify_all();
}

void Dispatcher::remove_service(const std::string& name) {
  const MutexLock lock(mutex_);
  const std::string account = account_of(name);
  services_.erase(name);
  if (!account.empty() && --accounts_[account].users == 0) accounts_.erase(account);
}

std::string Dispatcher::account(const std::string& converter) const {
  const MutexLock lock(mutex_);
  return account_of(converter);
}

bool Dispatcher::wants_spent_since(WallTime month, const std::string& converter) const {
  const MutexLock lock(mutex_);
  const auto found = accounts_.find(account_of(converter));
  return found != accounts_.end() &&
         (found->second.month != month || !found->second.counted.contains(converter));
}

void Dispatcher::set_spent_since(WallTime month, const std::string& converter,
                                 std::int64_t conversions) {
  const MutexLock lock(mutex_);
  const auto found = accounts_.find(account_of(converter));
  if (found == accounts_.end()) return;
  Account& account = found->second;
  if (account.month != month) {
    account.month = month;
    account.counted = {converter};
    account.gate->begin_month(conversions);
  } else if (account.counted.insert(converter).second) {
    account.gate->add_spent_this_month(conversions);
  } else {
    return;
  }
  changed_.notify_all();
}

std::size_t Dispatcher::room(const std::string& folder, Ledger::Lane lane) const {
  const MutexLock lock(mutex_);
  return queue_.room(folder, lane == Ledger::Lane::Deferred);
}

void Dispatcher::push(std::vector<Job> jobs) {
  const MutexLock lock(mutex_);
  for (Job& job : jobs) {
    queue_.push(std::move(job));
    changed_.notify_one();
  }
}

std::optional<Assignment> Dispatcher::next() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    const TimePoint now = clock_.now();
    note_hung(now);
    auto job = queue_.next(std::function<Admission(const Job&)>(
        [&](const Job& j) NO_THREAD_SAFETY_ANALYSIS { return admits(j, now); }));
    if (job) {
      const FolderState& state = folders_.find(job->candidate.folder)->second;
      ++running_in_[job->candidate.folder];
      gate_of(job->converter)->started(now);
      const auto& service = services_.find(job->converter)->second;
      return Assignment{std::move(*job), state.folder, service, now};
    }
    if (const auto at = next_change(now)) {
      changed_.wait_until(lock, *at);
    } else {
      changed_.wait(lock);
    }
  }
  return std::nullopt;
}

void Dispatcher::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool Dispatcher::take_key(const std::string& key, const Assignment& assignment) {
  const MutexLock lock(mutex_);
  const auto [place, taken] = busy_keys_.try_emplace(key);
  if (!taken) place->second.push_back(assignment.job);
  return taken;
}

void Dispatcher::give_key_back(const std::string& key) {
  const MutexLock lock(mutex_);
  const auto place = busy_keys_.find(key);
  for (Job& job : place->second) queue_.push(std::move(job));
  busy_keys_.erase(place);
  changed_.notify_all();
}

void Dispatcher::request_ended(const Assignment& assignment, const Error* error,
                               const RateNews& news, Duration latency, bool maybe_billed) {
  std::optional<std::string> paused_because;
  {
    const MutexLock lock(mutex_);
    paused_because = count_refusal(assignment, error);
    // The converter may have left by a reload; its account's gate is then gone with it.
    const auto account = accounts_.find(assignment.service->account());
    if (account != accounts_.end()) {
      account->second.gate->finished(error, to_gate_news(news), latency, maybe_billed,
                                     clock_.now());
    }
  }
  if (!paused_because) return;
  log(Level::Warning, "the folder is paused",
      {{"folder", assignment.job.candidate.folder}, {"why", *paused_because}});
}

std::optional<std::string> Dispatcher::count_refusal(const Assignment& assignment,
                                                     const Error* error) {
  const auto found = folders_.find(assignment.job.candidate.folder);
  if (found == folders_.end()) return std::nullopt;
  FolderState& state = found->second;
  if (error == nullptr) state.refused_in_a_row = 0;
  if (error == nullptr || error->kind != ErrorKind::Input) return std::nullopt;
  if (assignment.service->settings.downloads) return std::nullopt;  // nothing is paid for a list
  ++state.refused_in_a_row;
  if (most_refusals_ == 0 || state.refused_in_a_row < most_refusals_ || state.paused) {
    return std::nullopt;
  }
  state.paused = true;
  state.pause_reason = "the converter has refused " + std::to_string(state.refused_in_a_row) +
                       " files in a row, the last because: " + error->message +
                       "; `millrace resume " + found->first + "` goes on";
  return state.pause_reason;
}

void Dispatcher::pause_after_refusals(int in_a_row) {
  const MutexLock lock(mutex_);
  most_refusals_ = in_a_row;
}

void Dispatcher::no_request(const Assignment& assignment) {
  const MutexLock lock(mutex_);
  const auto account = accounts_.find(assignment.service->account());
  if (account != accounts_.end()) account->second.gate->abandoned();
}

void Dispatcher::done(const Assignment& assignment) {
  const MutexLock lock(mutex_);
  const auto running = running_in_.find(assignment.job.candidate.folder);
  if (--running->second == 0) running_in_.erase(running);
  changed_.notify_one();
}

void Dispatcher::block(const std::string& folder, std::string reason) {
  const MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  FolderState& state = found->second;
  const TimePoint now = clock_.now();
  if (state.blocked_until > now) return;  // one failure at a time lengthens it
  state.block_for = std::clamp(state.block_for * 2, kFirstBlock, kLongestBlock);
  state.blocked_until = now + state.block_for;
  state.blocked_reason = std::move(reason);
}

void Dispatcher::unblock(const std::string& folder) {
  const MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found == folders_.end() || found->second.blocked_reason.empty()) return;
  found->second.blocked_reason.clear();
  found->second.blocked_until = {};
  found->second.block_for = Duration{0};
  changed_.notify_all();
}

void Dispatcher::hold(const std::string& folder, std::string reason) {
  const MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  found->second.held = true;
  found->second.blocked_reason = std::move(reason);
}

void Dispatcher::release(const std::string& folder) {
  const MutexLock lock(mutex_);
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return;
  found->second.held = false;
  found->second.blocked_reason.clear();
  changed_.notify_all();
}

void Dispatcher::keep_paused(std::string name) {
  const MutexLock lock(mutex_);
  paused_.insert(std::move(name));
}

std::set<std::string> Dispatcher::pause(const std::string& name) {
  const MutexLock lock(mutex_);
  std::set<std::string> paused = sharing_account(name);
  if (const auto folder = folders_.find(name); folder != folders_.end()) {
    folder->second.paused = true;
    folder->second.pause_reason.clear();
    paused.insert(name);
  }
  if (Gate* gate = gate_of(name)) gate->pause(kByHand);
  paused_.insert(paused.begin(), paused.end());
  return paused;
}

std::set<std::string> Dispatcher::resume(const std::string& name) {
  const MutexLock lock(mutex_);
  std::set<std::string> resumed = sharing_account(name);
  if (const auto folder = folders_.find(name); folder != folders_.end()) {
    folder->second.paused = false;
    folder->second.pause_reason.clear();
    folder->second.refused_in_a_row = 0;
    folder->second.blocked_until = {};
    resumed.insert(name);
  }
  if (Gate* gate = gate_of(name)) gate->resume(clock_.now());
  for (const std::string& one : resumed) paused_.erase(one);
  changed_.notify_all();
  return resumed;
}

void Dispatcher::renew_converter(const std::string& name) {
  const MutexLock lock(mutex_);
  if (Gate* gate = gate_of(name)) gate->renew(clock_.now());
  changed_.notify_all();
}

std::vector<FolderView> Dispatcher::folders() const {
  const MutexLock lock(mutex_);
  const TimePoint now = clock_.now();
  std::vector<FolderView> views;
  for (const auto& [name, state] : folders_) {
    FolderView view{name,         state.paused,     state.pause_reason, state.blocked_reason,
                    std::nullopt, running_in(name), queue_.size(name)};
    if (state.blocked_until > now) view.blocked_for = state.blocked_until - now;
    views.push_back(std::move(view));
  }
  return views;
}

std::optional<GateView> Dispatcher::gate(const std::string& converter) const {
  const MutexLock lock(mutex_);
  const Gate* gate = gate_of(converter);
  if (gate == nullptr) return std::nullopt;
  return gate->view(clock_.now());
}

std::size_t Dispatcher::queued(const std::string& folder) const {
  const MutexLock lock(mutex_);
  return queue_.size(folder);
}

std::size_t Dispatcher::queued() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

int Dispatcher::running() const {
  const MutexLock lock(mutex_);
  int all = 0;
  for (const auto& [folder, count] : running_in_) all += count;
  return all;
}

int Dispatcher::running_in(const std::string& folder) const {
  const auto found = running_in_.find(folder);
  return found == running_in_.end() ? 0 : found->second;
}

// Jobs that hang on one folder's share must not use up the requests of all others.
void Dispatcher::note_hung(TimePoint now) {
  std::map<Gate*, int> hung;
  for (const auto& [name, state] : folders_) {
    const int calls = state.folder->inbox_io.hung(now) + state.folder->outbox_io.hung(now);
    if (calls == 0) continue;
    if (Gate* gate = gate_of(state.folder->settings.via)) hung[gate] += calls;
  }
  for (auto& [name, account] : accounts_) {
    const auto found = hung.find(account.gate.get());
    account.gate->set_hung(found == hung.end() ? 0 : found->second);
  }
}

Admission Dispatcher::admits(const Job& job, TimePoint now) const {
  const auto folder = folders_.find(job.candidate.folder);
  if (folder == folders_.end() || !folder_admits(folder->first, folder->second, now)) {
    return Admission::SkipFolder;
  }
  const Gate* gate = gate_of(job.converter);
  return gate != nullptr && gate->open(now) ? Admission::Take : Admission::SkipConverter;
}

bool Dispatcher::folder_admits(const std::string& name, const FolderState& state,
                               TimePoint now) const {
  if (state.paused || state.held || state.blocked_until > now) return false;
  // What was blocked is tried by one job at a time until a delivery proves that it works again.
  if (!state.blocked_reason.empty() && running_in(name) > 0) return false;
  // One folder never holds more than half the workers if there are others: its share may hang.
  const std::size_t most = folders_.size() > 1 ? std::max<std::size_t>(1, workers_ / 2) : workers_;
  if (static_cast<std::size_t>(running_in(name)) >= most) return false;
  const auto stalled = [&](const IoMeter& meter) {
    return meter.oldest(now).value_or(Duration{0}) >= kStalledAfter;
  };
  return !stalled(state.folder->inbox_io) && !stalled(state.folder->outbox_io);
}

std::optional<TimePoint> Dispatcher::next_change(TimePoint now) const {
  std::optional<TimePoint> first;
  const auto consider = [&](TimePoint at) {
    if (at > now && (!first || at < *first)) first = at;
  };
  for (const auto& [name, state] : folders_) {
    if (queue_.size(name) > 0) consider(state.blocked_until);
  }
  if (queue_.size() == 0) return first;
  for (const auto& [name, state] : folders_) {
    // When a call counts as hung, its place goes to others.
    for (const IoMeter* meter : {&state.folder->inbox_io, &state.folder->outbox_io}) {
      if (const auto oldest = meter->oldest(now)) consider(now + (kStalledAfter - *oldest));
    }
  }
  for (const auto& [name, account] : accounts_) {
    if (const auto at = account.gate->opens_at(now)) consider(*at);
  }
  return first;
}

std::set<std::string> Dispatcher::sharing_account(const std::string& converter) const {
  std::set<std::string> names;
  if (!services_.contains(converter)) return names;
  const std::string account = account_of(converter);
  for (const auto& [name, service] : services_)
    if (service->account() == account) names.insert(name);
  return names;
}

Gate* Dispatcher::gate_of(const std::string& converter) const {
  const auto account = accounts_.find(account_of(converter));
  return account == accounts_.end() ? nullptr : account->second.gate.get();
}

std::string Dispatcher::account_of(const std::string& converter) const {
  const auto service = services_.find(converter);
  return service == services_.end() ? std::string() : service->second->account();
}

}  // namespace millrace
