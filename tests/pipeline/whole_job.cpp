#include "tests/pipeline/whole_job.hpp"

#include <memory>
#include <stop_token>
#include <utility>

#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/pipeline/dispatcher.hpp"
#include "agent/pipeline/job_run.hpp"
#include "agent/pipeline/recovery.hpp"
#include "agent/pipeline/source_actions.hpp"
#include "agent/report/log.hpp"
#include "agent/watch/local_source.hpp"
#include "agent/watch/version.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/pipeline/whole_job_names.hpp"

namespace millrace::test {
namespace {

constexpr int kMostRounds = 12;
constexpr Duration kRecoveryPatience = std::chrono::seconds{20};
constexpr std::size_t kManyJobs = 16;

FolderSettings folder_settings(const JobPlan& plan) {
  FolderSettings settings;
  settings.name = kFolder;
  settings.via = kConverter;
  settings.inbox = kInbox;
  settings.outbox = kOutbox;
  settings.archive = kArchive;
  settings.quarantine = kQuarantine;
  settings.to = plan.targets;
  settings.after = plan.after;
  settings.failed = AfterFailure::Quarantine;
  return settings;
}

}  // namespace

// One life of the agent, put together as the engine does it, with one worker.
struct WholeJob::Agent {
  Agent(WholeJob& machine, std::unique_ptr<Ledger> opened)
      : ledger(std::move(opened)),
        dispatcher(machine.clock_, 1),
        folder(std::make_shared<Folder>(
            folder_settings(machine.plan_), 0, 1, machine.files_, "owner",
            make_local_source({kFolder, kInbox, kArchive, kQuarantine, "shelf"}, machine.files_))),
        clock(machine.clock_),
        tools{*ledger,
              dispatcher,
              kept,
              clock,
              RetryRules{},
              stop.get_token(),
              stop.get_token(),
              [] { return 0.5; },
              [](const Assignment&) {},  // every round looks at the inbox anew
              [this](const Assignment& assignment, const JobEnd&, const SourceSummary* summary) {
                if (summary != nullptr && summary->all_final() && summary->action.empty())
                  act_on_source(*assignment.folder, *summary);
              }},
        recovery(*ledger, dispatcher, kept, clock,
                 [this](const Folder& f, const SourceSummary& s) { act_on_source(f, s); }) {
    auto service = std::make_shared<Service>();
    service->settings.name = kConverter;
    service->converter = std::make_unique<BookedConverter>(machine.book_, machine.power_);
    dispatcher.set_service(service, {});
    dispatcher.add_folder(folder);
  }

  void act_on_source(const Folder& at, const SourceSummary& summary) {
    const auto done = source_action(at, summary);
    if (done) static_cast<void>(ledger->record_source_action(summary.row, *done, clock.wall_now()));
  }

  const std::unique_ptr<Ledger> ledger;
  Dispatcher dispatcher;
  const std::shared_ptr<Folder> folder;
  KeptResults kept;
  const Clock& clock;
  std::stop_source stop;
  JobTools tools;
  Recovery recovery;
};

WholeJob::WholeJob(const JobPlan& plan) : plan_(plan) {
  [[maybe_unused]] static const auto quiet = start_log("off");
  files_.make_directory(kInbox).value();
  files_.make_directory(kOutbox).value();
  put(*files_.open_directory(kInbox).value(), kSource, kFirst);
  files_.open_directory(kInbox).value()->sync_directory("").value();
  if (plan_.ledger == LedgerBefore::Exists)
    open_ledger({scratch_ / kLedger, clock_.wall_now()}).value();
  files_.draw_from(power_);
  book_.refuses = plan_.answer == Answer::Refusal;
  book_.answers_cut_short = plan_.answer == Answer::CutShortOnce ? 1 : 0;
  // As another job does that is published there meanwhile.
  if (plan_.answer == Answer::CutShortOnce) book_.in_mid_answer = [this] { sync_outbox(); };
  if (plan_.replaced == Replaced::WhileSent) book_.before_sent = [this] { replace_source(); };
  if (plan_.replaced == Replaced::AfterBilled) book_.after_billed = [this] { replace_source(); };
}

void WholeJob::lose_power_at(std::uint64_t n) { power_.lose_at(n); }

// Written aside, synced and renamed, by somebody who knows how.
void WholeJob::replace_source() {
  if (std::exchange(was_replaced_, true)) return;
  power_.uncounted([&] {
    auto inbox = files_.open_directory(kInbox).value();
    put(*inbox, "other.part", kSecond);
    inbox->replace("other.part", kSource).value();
    inbox->sync_directory("").value();
  });
}

void WholeJob::sync_outbox() {
  power_.uncounted([&] {
    auto outbox = files_.open_directory(kOutbox);
    if (outbox) static_cast<void>((*outbox)->sync_directory(""));
  });
}

void WholeJob::cut_power(const Kept& kept) {
  loses_names_ = loses_names_ || kept.files.names == Unsynced::Lost;
  files_.cut_power(kept.files);
  database_.cut_power(kept.database);
  power_.restore();
}

void WholeJob::run() {
  const std::unique_ptr<Agent> agent = start_agent();
  if (!agent) return;
  work(*agent);
  if (power_.is_off()) return;
  static_cast<void>(agent->ledger->end_run("stopped", clock_.wall_now()));
  if (agent->ledger->flush() && !power_.is_off()) check_ledger(*agent->ledger);
}

std::unique_ptr<WholeJob::Agent> WholeJob::start_agent() {
  auto ledger = open_ledger({scratch_ / kLedger, clock_.wall_now()});
  expect(ledger || power_.is_off(),
         "the ledger cannot be opened: " + (ledger ? "" : ledger.error().message));
  if (!ledger) return nullptr;
  expect((*ledger)->rebuilt_because().empty(),
         "the ledger is damaged: " + (*ledger)->rebuilt_because());
  if (const auto reader = open_ledger_reader(scratch_ / kLedger)) {
    const auto attempts = (*reader)->attempts_since(kConverter, WallTime{});
    expect(attempts && *attempts >= book_.posts, "a request that no attempt row tells of");
  }
  if (!(*ledger)->begin_run("run", clock_.wall_now())) return nullptr;
  auto agent = std::make_unique<Agent>(*this, std::move(*ledger));
  power_.when_off([stop = agent->stop]() mutable { stop.request_stop(); });
  agent->recovery.begin({agent->folder});
  agent->recovery.wait_looked(kRecoveryPatience);
  expect(agent->recovery.looked(), "the recovery hangs");
  return agent;
}

// Looks, settles and claims as the intake does, then works off what it got.
void WholeJob::work(Agent& agent) {
  for (int round = 0; round < kMostRounds && !power_.is_off(); ++round) {
    const auto fresh = look_for_sources(agent);
    if (!fresh.empty() && !agent.ledger->admit_each(fresh, clock_.wall_now())) return;
    std::size_t claimed = 0;
    for (const auto lane : {Ledger::Lane::Fresh, Ledger::Lane::Deferred}) {
      auto jobs = agent.ledger->claim(kFolder, lane, kManyJobs, clock_.wall_now());
      if (!jobs) return;
      claimed += jobs->size();
      agent.dispatcher.push(std::move(*jobs));
    }
    for (; claimed > 0 && !power_.is_off(); --claimed) {
      const auto assignment = agent.dispatcher.next();
      JobRun(agent.tools, *assignment, 0).run();
    }
    const auto due = agent.ledger->next_due(WallTime{});
    // Whatever is blocked or waits for its next attempt is due then.
    clock_.advance(std::chrono::minutes{1});
    if (!due || (!*due && look_for_sources(agent).empty())) return;
  }
  expect(power_.is_off(), "the job comes to no end");
}

std::vector<NewVersion> WholeJob::look_for_sources(Agent& agent) {
  std::vector<NewVersion> found;
  auto inbox = files_.open_directory(kInbox);
  if (!inbox) return found;
  const auto info = (*inbox)->info(kSource);
  if (!info) return found;
  const Candidate candidate{kFolder, kSource, info->size,
                            version_text(*info, FileSystemNature::Local)};
  const auto known = agent.ledger->look_up(candidate);
  if (known && (*known == Known::New || *known == Known::Changed))
    found.push_back({candidate, agent.folder->targets});
  return found;
}

}  // namespace millrace::test
