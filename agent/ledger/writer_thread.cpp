#include "agent/ledger/writer_thread.hpp"

#include <algorithm>
#include <iterator>

#include "platform/base/thread.hpp"
#include "platform/fs/crash_point.hpp"

namespace millrace {
namespace {

constexpr std::size_t kMostQueued = 8192;
constexpr std::size_t kMostInGroup = 512;  // tasks in one transaction
constexpr Duration kRunAgain = std::chrono::seconds{1};

bool is_queued(const Task& task) {
  return task.answer == Answer::Queued || task.answer == Answer::UntilWritten;
}

}  // namespace

WriterThread::WriterThread(std::unique_ptr<LedgerCore> core, std::filesystem::path path)
    : path_(std::move(path)),
      core_(std::move(core)),
      thread_(start_thread("ledger", [this](const std::stop_token&) { run(); })) {}

WriterThread::~WriterThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

Result<void> WriterThread::flush() {
  return call(Answer::WhenCommitted, Telling::Everything,
              [](LedgerCore&) -> Result<void> { return {}; });
}

Result<void> WriterThread::queue(std::function<Result<void>(LedgerCore&)> body, Answer answer) {
  push(Task{std::move(body), answer, Telling::Nothing, nullptr, {}, {}});
  return {};
}

std::shared_ptr<Gate> WriterThread::push(Task task) {
  // A caller who is answered before the commit waits at a gate of its own.
  std::shared_ptr<Gate> gate;
  if (task.answer == Answer::WhenRun) gate = std::make_shared<Gate>();
  bool wake = false;
  {
    MutexLock lock(mutex_);
    while (queue_.size() >= kMostQueued) room_.wait(lock);
    if (task.answer == Answer::WhenCommitted) gate = next_gate_;
    task.gate = gate;
    queue_.push_back(std::move(task));
    wake = std::exchange(idle_, false);
  }
  if (wake) work_.notify_one();
  return gate;
}

std::unique_lock<std::mutex> WriterThread::writer_at_rest() {
  std::unique_lock<std::mutex> resting(core_in_use_, std::try_to_lock);
  if (!resting) return resting;
  const MutexLock lock(mutex_);
  if (!queue_.empty()) resting.unlock();
  return resting;
}

Error WriterThread::not_written() {
  return Error{ErrorKind::Environment, "ledger: not written", 0, {}};
}

std::vector<Task> WriterThread::take() {
  auto gate = std::make_shared<Gate>();
  std::vector<Task> tasks;
  {
    const MutexLock lock(mutex_);
    if (queue_.empty()) return tasks;
    tasks.swap(queue_);
    gate.swap(next_gate_);
  }
  gates_.push_back(std::move(gate));
  if (tasks.size() >= kMostQueued) room_.notify_all();
  return tasks;
}

void WriterThread::tell(Task& task, const Result<void>& outcome) {
  if (const auto then = std::exchange(task.then, nullptr)) return then(outcome);
  if (task.call == nullptr) return;
  task.call->verdict = outcome;
  task.gate->answer(std::exchange(task.call, nullptr)->answered);
  if (task.answer == Answer::WhenRun) task.gate->wake();
}

bool WriterThread::wait_for_work() {
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) {
    idle_ = true;
    if (!run_again_) {
      work_.wait(lock);
    } else if (!work_.wait_until(lock, std::chrono::steady_clock::now() + kRunAgain)) {
      break;
    }
  }
  idle_ = false;
  return !stopping_ || !queue_.empty();
}

void WriterThread::run() {
  while (wait_for_work()) run_group();
  run_group();  // what a question left uncommitted
  core_->database().checkpoint();
  core_.reset();
}

// What comes in while the group runs joins it: whoever was answered without a commit may already
// be back with the next task.
void WriterThread::run_group() {
  std::unique_lock<std::mutex> in_use(core_in_use_);
  run_unwritten();
  std::size_t ran = 0;
  while (ran < kMostInGroup) {
    std::vector<Task> tasks = take();
    if (tasks.empty()) break;
    for (Task& task : tasks) run_one(task);
    ran += tasks.size();
  }
  commit_group();
  const auto gates = std::exchange(gates_, {});
  in_use.unlock();
  for (const auto& gate : gates) gate->wake();
}

void WriterThread::run_unwritten() {
  if (unwritten_.empty()) return;
  {
    const MutexLock lock(mutex_);
    run_again_ = false;
  }
  for (Task& task : std::exchange(unwritten_, {})) run_one(task);
}

void WriterThread::run_one(Task& task) {
  // Behind what is to be run again: it may be about the same job.
  if (task.answer == Answer::UntilWritten && !unwritten_.empty()) {
    unwritten_.push_back(std::move(task));
    return;
  }
  if (task.telling != Telling::Nothing && lost_) {
    return tell(task, std::unexpected(*std::exchange(lost_, std::nullopt)));
  }
  if (task.telling == Telling::Everything && defect_) {
    return tell(task, std::unexpected(*std::exchange(defect_, std::nullopt)));
  }
  core_->answers_early(task.answer == Answer::Queued || task.answer == Answer::WhenRun);
  const Result<void> outcome = task.run(*core_);
  if (core_->take_failure()) {
    const Error why = outcome ? not_written() : outcome.error();
    group_.push_back(std::move(task));
    return undo_group(why);
  }
  if (!outcome) {
    if (is_queued(task)) defect_ = outcome.error();
    tell(task, outcome);
  } else if (task.answer == Answer::WhenRun) {
    tell(task, outcome);
  } else if (is_queued(task) && !core_->dirty()) {
    return;
  } else {
    group_.push_back(std::move(task));
  }
}

void WriterThread::commit_group() {
  const bool writes = core_->dirty();
  if (writes) crash_point();
  const Result<void> done = core_->commit();
  if (writes) crash_point();
  if (!done) return undo_group(done.error());
  for (Task& task : group_) tell(task, done);
  group_.clear();
}

void WriterThread::undo_group(const Error& why) {
  core_->rollback();
  core_->take_failure();
  if (core_->database().damaged() && !marked_) {
    mark_as_damaged(path_);
    marked_ = true;
  }
  bool told = false;
  bool queued = false;
  for (Task& task : group_) {
    told = told || task.telling != Telling::Nothing;
    queued = queued || task.answer == Answer::Queued;
    tell(task, std::unexpected(why));
  }
  std::erase_if(group_, [](const Task& task) { return task.answer != Answer::UntilWritten; });
  std::ranges::move(group_, std::back_inserter(unwritten_));
  group_.clear();
  if (!unwritten_.empty()) {
    const MutexLock lock(mutex_);
    run_again_ = true;
    if (std::exchange(idle_, false)) work_.notify_one();
  }
  if (queued && !told) lost_ = why;
}

}  // namespace millrace
