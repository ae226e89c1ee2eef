#include "agent/pipeline/engine.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/pipeline/inbox.hpp"
#include "agent/pipeline/services.hpp"
#include "agent/pipeline/source_actions.hpp"
#include "agent/report/log.hpp"
#include "agent/transfer/curl_http.hpp"
#include "config/bucket_url.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/thread.hpp"
#include "platform/host/host.hpp"

namespace millrace {
namespace {

// Answers under way when we are asked to stop are still worth waiting for: they are paid.
constexpr Duration kStopPatience = std::chrono::seconds{3};
// After that, threads that do not come back hang in the kernel.
constexpr Duration kJoinPatience = std::chrono::seconds{1};
constexpr Duration kRootPatience = std::chrono::milliseconds{200};

// How long the start waits for what an earlier run left unfinished.
constexpr Duration kRecoveryPatience = std::chrono::seconds{5};

// The intake loop turns at least every half minute.
constexpr Duration kAliveWithin = std::chrono::minutes{1};

// Jobs of a folder in the dispatcher's window below which more are claimed.
constexpr std::size_t kWellFilled = 128;

// What a worker has open at most: source, temporary file, a directory of each, connection. What a
// folder has: inbox, outbox, watch. What the rest has: streams, lock, ledger and its reader,
// network, command channel and its guests.
constexpr std::size_t kDescriptorsOfWorker = 5;
constexpr std::size_t kDescriptorsOfFolder = 5;
constexpr std::size_t kDescriptorsOfRest = 20;

// Fewer workers than wanted where each could not open what it needs.
Result<std::size_t> affordable_workers(std::size_t wanted, std::size_t folders) {
  const std::size_t limit = descriptor_limit();
  if (limit == 0) return wanted;
  const std::size_t rest = kDescriptorsOfRest + folders * kDescriptorsOfFolder;
  if (limit < rest + kDescriptorsOfWorker) {
    return fail(ErrorKind::Configuration,
                "this process may open " + std::to_string(limit) + " files (ulimit -n); " +
                    std::to_string(rest + kDescriptorsOfWorker) + " are needed at least");
  }
  const std::size_t workers = std::min((limit - rest) / kDescriptorsOfWorker, wanted);
  if (workers < wanted) {
    log(Level::Warning, "fewer workers, since this process may open few files (ulimit -n)",
        {{"limit", std::to_string(limit)},
         {"workers", std::to_string(workers)},
         {"wanted", std::to_string(wanted)}});
  }
  return workers;
}

double thread_random() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>{}(generator);
}

// Agents and batches with ledgers of their own may share an outbox, and so may folders: each knows
// its temporaries.
std::string owner_of(const std::filesystem::path& ledger_file, const std::string& folder) {
  return to_hex(sha256(path_text(ledger_file) + '\n' + folder)).substr(0, 12);
}

// The stores that its inbox and its outbox are in.
std::vector<S3Settings> stores_of(const Settings& settings, const FolderSettings& folder) {
  std::vector<S3Settings> stores;
  for (const auto* place : {&folder.inbox, &folder.outbox}) {
    const auto url = bucket_of(*place);
    const S3Settings* const store = url ? settings.store(url->settings) : nullptr;
    if (store != nullptr) stores.push_back(*store);
  }
  return stores;
}

// Whether `those` have the folder as it is under `these`.
bool has_same_folder(const Settings& those, const Settings& these, const FolderSettings& folder) {
  const FolderSettings* const other = those.folder(folder.name);
  return other != nullptr && *other == folder &&
         stores_of(those, *other) == stores_of(these, folder);
}

}  // namespace

Engine::Engine(EngineOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), settings_(options_.settings) {}

Result<std::unique_ptr<Engine>> Engine::start(EngineOptions options, const Clock& clock) {
  std::unique_ptr<Engine> engine(new Engine(std::move(options), clock));
  if (auto opened = engine->open(); !opened) return std::unexpected(opened.error());
  return engine;
}

Result<void> Engine::open() {
  const Settings& settings = options_.settings;
  const auto workers =
      affordable_workers(static_cast<std::size_t>(settings.agent.workers), settings.folders.size());
  if (!workers) return std::unexpected(workers.error());
  auto ledger = open_ledger({options_.ledger_file, clock_.wall_now()});
  if (!ledger) return std::unexpected(ledger.error());
  ledger_ = std::move(*ledger);
  if (auto begun = ledger_->begin_run(options_.command, clock_.wall_now()); !begun) return begun;
  auto http = start_curl_http({});
  if (!http) return std::unexpected(http.error());
  http_ = std::move(*http);
  buckets_ = make_buckets({*http_, clock_, options_.config_dir,
                           options_.ledger_file.parent_path() / "spool", stop_now_.get_token()});
  buckets_->set_stores(settings.stores);
  lists_ = std::make_unique<ListRecords>(options_.ledger_file.parent_path() / "lists");

  dispatcher_ = std::make_unique<Dispatcher>(clock_, *workers);
  dispatcher_->pause_after_refusals(options_.most_refusals);
  intake_ = std::make_unique<Intake>(*ledger_, *dispatcher_, clock_);
  tools_ = std::make_unique<JobTools>(JobTools{
      *ledger_, *dispatcher_, kept_, clock_, RetryRules{}, stop_.get_token(), stop_now_.get_token(),
      thread_random,
      [this](const Assignment& a) { intake_->look_again(a.folder->root, a.job.candidate.name); },
      [this](const Assignment& a, const JobEnd& end, const SourceSummary* summary) {
        job_finished(a, end, summary);
      }});
  if (auto set = set_services(settings); !set) return set;
  for (const FolderSettings& folder : settings.folders)
    if (auto added = add_folder(folder); !added) return with_context(added.error(), folder.name);
  recover();
  intake_->start();
  for (std::size_t i = 0; i < *workers; ++i) {
    workers_.push_back(start_thread("worker-" + std::to_string(i),
                                    [this, i](const std::stop_token&) { work(i); }));
  }
  return {};
}

Engine::~Engine() {
  if (!workers_.empty()) stop();
}

// -- the way of a file: the roots watch, the intake settles and queues, the workers convert,
// deliver
// -- and record.
void Engine::work(std::size_t worker) {
  while (const auto assignment = dispatcher_->next()) JobRun(*tools_, *assignment, worker).run();
  ++workers_back_;
}

void Engine::job_finished(const Assignment& assignment, const JobEnd& end,
                          const SourceSummary* summary) {
  switch (end.state) {
    case JobState::Delivered:
      ++delivered_;
      bytes_in_ += assignment.job.candidate.size;
      bytes_out_ += end.output ? end.output->size : 0;
      break;
    case JobState::Skipped:
      ++skipped_;
      break;
    case JobState::Failed:
      ++failed_;
      break;
    case JobState::Cancelled:
      ++cancelled_;
      break;
    default:
      ++retried_;
      break;
  }
  if (summary != nullptr && summary->all_final() && summary->action.empty()) {
    act_on_source(*assignment.folder, *summary);
  }
  if (const auto again = failed_actions_.take(assignment.job.candidate.folder, clock_.now())) {
    finish_interrupted_action(*assignment.folder, *again);
    act_on_source(*assignment.folder, *again);
  }
  if (options_.on_end) options_.on_end(assignment, end);
  // While the folder's window is well filled the loop need not be woken for each job.
  const bool low = dispatcher_->queued(assignment.job.candidate.folder) <= kWellFilled;
  if (low || end.state == JobState::Waiting) intake_->job_ended();
}

void Engine::act_on_source(const Folder& folder, const SourceSummary& summary) {
  const auto done = source_action(folder, summary);
  if (!done) {
    log_error(Level::Warning, "the source stays where it is for now", done.error(),
              {{"folder", folder.settings.name}, {"file", summary.candidate.name}});
    return failed_actions_.add(summary, clock_.now());
  }
  const auto recorded = ledger_->record_source_action(summary.row, *done, clock_.wall_now());
  if (!recorded) log_error(Level::Error, "cannot record what became of a source", recorded.error());
}

// Goes before the workers start; a folder whose share hangs or is away is left behind and follows
// later.
void Engine::recover() {
  std::vector<std::shared_ptr<Folder>> folders;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, member] : members_) folders.push_back(member.folder);
  }
  recovery_ = std::make_unique<Recovery>(
      *ledger_, *dispatcher_, kept_, clock_,
      [this](const Folder& folder, const SourceSummary& s) { act_on_source(folder, s); });
  recovery_->begin(folders);
  recovery_->wait_looked(kRecoveryPatience);
}

// -- settings ---------------------------------------------------------------------------------
Result<void> Engine::ensure_embedded() {
  if (embedded_) return {};
  auto made = EmbeddedConverter::make(
      {options_.program, options_.runtime_dir, options_.ledger_file.parent_path() / "scratch"});
  if (!made) return std::unexpected(made.error());
  embedded_ = std::move(*made);
  return {};
}

Result<std::shared_ptr<Service>> Engine::make_service(const ConverterSettings& settings) {
  if (settings.downloads) return make_list_service(*lists_, settings, options_.config_dir, clock_);
  if (settings.embedded) {
    if (auto made = ensure_embedded(); !made) return std::unexpected(made.error());
    const auto running = embedded_->run(settings.timeout);
    if (!running) return std::unexpected(running.error());
  }
  const std::string socket = settings.embedded ? embedded_->socket() : std::string();
  return millrace::make_service(*http_, settings, socket, options_.config_dir, clock_);
}

Result<void> Engine::set_services(const Settings& settings) {
  keep_pauses(settings);
  std::vector<std::shared_ptr<Service>> services;
  for (const ConverterSettings& converter : settings.converters) {
    const bool used = std::ranges::any_of(
        settings.folders, [&](const FolderSettings& f) { return f.via == converter.name; });
    if (!used) continue;
    auto service = make_service(converter);
    if (!service) return with_context(service.error(), "converter " + converter.name);
    services.push_back(std::move(*service));
  }
  for (auto& service : services) {
    note_key(service->settings);
    const GateRules rules = gate_rules_of(service->settings, options_.workers_asked_for);
    dispatcher_->set_service(std::move(service), rules);
  }
  count_spent(settings);
  return {};
}

bool Engine::alive() const { return clock_.now() - intake_->last_turn() < kAliveWithin; }

Result<void> Engine::add_folder(const FolderSettings& settings) {
  const std::size_t index = next_root_++;
  const std::string owner = owner_of(options_.ledger_file, settings.name);
  auto inbox = open_inbox({*buckets_, *ledger_, clock_, *intake_}, settings,
                          options_.settings.agent.rescan_every, index, owner);
  if (!inbox) return std::unexpected(inbox.error());
  auto folder = std::make_shared<Folder>(
      settings, index, static_cast<std::size_t>(options_.settings.agent.workers),
      std::move(inbox->source), outbox_opener(*buckets_, real_file_system(), settings, owner));
  const std::shared_ptr<Root> root = std::move(inbox->root);
  {
    const MutexLock lock(mutex_);
    members_[settings.name] = {folder, root};
  }
  dispatcher_->add_folder(folder);
  if (recovery_) recovery_->take_over(folder);
  intake_->add({folder, root});
  root->start();
  return {};
}

void Engine::remove_folder(const std::string& name) {
  Member member;
  {
    const MutexLock lock(mutex_);
    const auto found = members_.find(name);
    if (found == members_.end()) return;
    member = std::move(found->second);
    members_.erase(found);
  }
  recovery_->abandon(name);
  intake_->remove(member.folder->root);
  member.root->request_stop();
  std::erase_if(retired_roots_, [](const auto& root) { return root->wait_stopped(TimePoint{}); });
  retired_roots_.push_back(member.root);
  for (const Job& job : dispatcher_->remove_folder(name)) ledger_->release(job.id);
}

bool Engine::is_member(const std::string& folder) const {
  const MutexLock lock(mutex_);
  return members_.contains(folder);
}

Result<void> Engine::reload(Settings fresh) {
  const Settings old = settings();
  if (fresh.agent != old.agent) {
    log(Level::Warning, "what stands in [agent] is taken up by the next start");
  }
  if (auto set = set_services(fresh); !set) return set;
  buckets_->set_stores(fresh.stores);
  for (const FolderSettings& folder : old.folders) {
    if (!has_same_folder(fresh, old, folder)) remove_folder(folder.name);
  }
  for (const FolderSettings& folder : fresh.folders) {
    // One that could not be opened before is tried again.
    if (has_same_folder(old, fresh, folder) && is_member(folder.name)) continue;
    if (auto added = add_folder(folder); !added)
      log_error(Level::Error, "cannot open a folder", added.error(), {{"folder", folder.name}});
  }
  for (const FolderSettings& folder : old.folders)
    if (fresh.folder(folder.name) == nullptr) failed_actions_.drop(folder.name);
  for (const ConverterSettings& converter : old.converters) {
    if (fresh.converter(converter.name) == nullptr) dispatcher_->remove_service(converter.name);
  }
  for (const ConverterSettings& converter : fresh.converters) {
    const ConverterSettings* const before = old.converter(converter.name);
    if (before == nullptr || *before != converter) dispatcher_->renew_converter(converter.name);
  }
  const MutexLock lock(mutex_);
  settings_ = std::move(fresh);
  return {};
}

// -- the end ----------------------------------------------------------------------------------
bool Engine::stop() {
  const auto every_worker_back = [&] { return workers_back_ == static_cast<int>(workers_.size()); };
  const auto wait = [&](Duration patience) {
    const TimePoint end = std::chrono::steady_clock::now() + patience;
    while (!every_worker_back() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  };
  std::map<std::string, Member> members;
  {
    const MutexLock lock(mutex_);
    members = members_;
  }
  for (auto& [name, member] : members) member.root->request_stop();
  dispatcher_->stop();
  stop_.request_stop();
  wait(kStopPatience);
  stop_now_.request_stop();
  wait(kJoinPatience);
  const bool all_back = recovery_->stop(kRootPatience) && every_worker_back();
  const auto flushed =
      ledger_->end_run(all_back ? "stopped" : "stopped, a thread hung", clock_.wall_now());
  if (!flushed) log_error(Level::Error, "cannot record the end of the run", flushed.error());
  if (auto done = ledger_->flush(); !done) {
    log_error(Level::Error, "cannot flush the ledger", done.error());
  }
  embedded_.reset();
  if (!all_back) return false;
  std::vector<std::shared_ptr<Root>> roots = retired_roots_;
  for (auto& [name, member] : members) roots.push_back(member.root);
  bool roots_back = true;
  const TimePoint limit = std::chrono::steady_clock::now() + kRootPatience;
  for (const auto& root : roots) roots_back = root->wait_stopped(limit) && roots_back;
  if (!roots_back) return false;
  intake_->stop();
  workers_.clear();
  return true;
}

// -- for people -------------------------------------------------------------------------------
bool Engine::idle() const {
  return all_seen() && dispatcher_->queued() == 0 && dispatcher_->running() == 0;
}

std::size_t Engine::settling() const { return intake_->settling(); }

bool Engine::all_seen() const { return recovery_->looked() && intake_->quiet(); }

Tally Engine::tally() const {
  return {delivered_, skipped_,  failed_,    cancelled_,
          retried_,   bytes_in_, bytes_out_, lists_->steps()};
}

std::vector<FolderStatus> Engine::folders() const {
  std::map<std::string, Member> members;
  {
    const MutexLock lock(mutex_);
    members = members_;
  }
  const TimePoint now = clock_.now();
  std::vector<FolderStatus> all;
  for (FolderView& view : dispatcher_->folders()) {
    const auto member = members.find(view.name);
    if (member == members.end()) continue;
    const Folder& folder = *member->second.folder;
    FolderStatus status{std::move(view),
                        member->second.root->health(),
                        path_text(folder.settings.inbox),
                        path_text(folder.settings.outbox),
                        folder.inbox_io.oldest(now),
                        folder.outbox_io.oldest(now)};
    for (auto* stalled : {&status.inbox_stalled, &status.outbox_stalled}) {
      if (*stalled && **stalled < kStalledAfter) stalled->reset();
    }
    all.push_back(std::move(status));
  }
  return all;
}

std::vector<ConverterStatus> Engine::converters() const {
  std::vector<ConverterStatus> all;
  for (const ConverterSettings& converter : settings().converters) {
    const auto gate = dispatcher_->gate(converter.name);
    if (gate) all.push_back({converter.name, converter.url, converter.account, *gate});
  }
  return all;
}

HttpClient::Counters Engine::connections() const { return http_->counters(); }

bool Engine::pause(const std::string& name) {
  const auto paused = dispatcher_->pause(name);
  for (const std::string& one : paused) remember_pause(one, true);
  return !paused.empty();
}

bool Engine::resume(const std::string& name) {
  const auto resumed = dispatcher_->resume(name);
  for (const std::string& one : resumed) remember_pause(one, false);
  intake_->job_ended();
  return !resumed.empty();
}

bool Engine::rescan(const std::optional<std::string>& folder) {
  std::vector<std::size_t> roots;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, member] : members_) {
      if (!folder || *folder == name) roots.push_back(member.folder->root);
    }
  }
  for (const std::size_t root : roots) intake_->rescan(root);
  return !folder || !roots.empty();
}

Result<int> Engine::retry(JobId job) {
  auto count = ledger_->retry(job, clock_.wall_now());
  intake_->job_ended();
  return count;
}

std::optional<std::string> Engine::explain(const std::string& folder, const Name& name) const {
  std::shared_ptr<Root> root;
  std::size_t index = 0;
  {
    const MutexLock lock(mutex_);
    const auto found = members_.find(folder);
    if (found == members_.end()) return std::nullopt;
    root = found->second.root;
    index = found->second.folder->root;
  }
  if (root->is_in_cloud(name)) {
    return "left out: its bytes are in the cloud only; it is taken once kept on this computer";
  }
  return intake_->explain(index, name);
}

Settings Engine::settings() const {
  const MutexLock lock(mutex_);
  return settings_;
}

}  // namespace millrace
