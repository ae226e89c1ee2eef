// The thread that owns the ledger's one writing connection: it takes what the other threads ask
// for, runs as much as is there in one transaction, commits, and answers.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/ledger/ledger_core.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// When the caller goes on: at once; at once, and the task is repeated until it is committed; when
// the task ran; when it is committed.
enum class Answer { Queued, UntilWritten, WhenRun, WhenCommitted };

// What an earlier failure of queued tasks means to a task: nothing; it is told and not run; the
// same, and also of failures that were our own fault.
enum class Telling { Nothing, LostWrites, Everything };

// Where callers wait. All who wait for the same commit share one, so that one system call wakes
// them. Shared ownership, since the writer may still be in notify_all() when the last caller has
// seen its answer and gone. Not std::atomic::wait: libstdc++ yields the processor a dozen times
// before it sleeps, which costs more than the sleep.
class Gate {
 public:
  void wait(const bool& answered) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!answered) opened_.wait(lock);
  }
  void answer(bool& answered) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    answered = true;
  }
  void wake() { opened_.notify_all(); }

 private:
  Mutex mutex_;
  CondVar opened_;
};

// On the stack of a caller who waits.
struct Call {
  Result<void> verdict;
  bool answered = false;  // guarded by the gate's mutex
};

struct Task {
  std::function<Result<void>(LedgerCore&)> run;
  Answer answer = Answer::Queued;
  Telling telling = Telling::Nothing;
  Call* call = nullptr;
  std::shared_ptr<Gate> gate;
  std::function<void(const Result<void>& verdict)> then;  // instead of a caller who waits
};

// Thread-safe. Destruction commits what is queued and closes the file.
class WriterThread {
 public:
  WriterThread(std::unique_ptr<LedgerCore> core, std::filesystem::path path);
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

  // Runs `body(core)` and returns what it returned: at once on the caller's thread while the writer
  // rests and nothing is queued, which saves two switches of threads; else on the writer's thread.
  // What it changes is committed with the next task.
  template <typename Body>
  auto ask(Body body) {
    if (const auto resting = writer_at_rest()) return run_at_rest(body);
    return call(Answer::WhenRun, Telling::Nothing, std::move(body));
  }
  // The same for what changes nothing, and only of what is committed: all else may be taken back.
  template <typename Body>
  auto read_committed(Body body) {
    if (const auto resting = writer_at_rest(); resting && !core_->dirty()) return run_at_rest(body);
    return ask_committed(std::move(body));
  }
  template <typename Body>
  auto ask_committed(Body body) {
    return call(Answer::WhenCommitted, Telling::Nothing, std::move(body));
  }
  template <typename Body>
  auto durably(Body body) {
    return call(Answer::WhenCommitted, Telling::LostWrites, std::move(body));
  }
  // Returns at once; `then` gets on the writer's thread what durably() would have returned.
  template <typename Body, typename Then>
  void durably_then(Body body, Then then) {
    using Answered = std::invoke_result_t<Body, LedgerCore&>;
    auto answered = std::make_shared<Answered>(fail(ErrorKind::Stopped, "ledger: not asked"));
    auto work = [body = std::move(body), answered](LedgerCore& core) -> Result<void> {
      *answered = body(core);
      if (!*answered) return std::unexpected(answered->error());
      return {};
    };
    push(Task{std::move(work),
              Answer::WhenCommitted,
              Telling::LostWrites,
              nullptr,
              {},
              [answered, then = std::move(then)](const Result<void>& verdict) {
                if (!verdict) *answered = std::unexpected(verdict.error());
                then(std::move(*answered));
              }});
  }
  Result<void> flush();
  // Returns at once, or when fewer than some thousands of tasks are queued. Always a success.
  Result<void> queue(std::function<Result<void>(LedgerCore&)> body) {
    return queue(std::move(body), Answer::Queued);
  }
  // The same for what must not get lost: it runs again, before anything newer, until it is
  // committed. Destruction tries once more.
  Result<void> queue_until_written(std::function<Result<void>(LedgerCore&)> body) {
    return queue(std::move(body), Answer::UntilWritten);
  }

 private:
  template <typename Body>
  auto run_at_rest(Body& body) {
    core_->answers_early(true);
    auto answered = body(*core_);
    if (core_->take_failure()) undo_group(answered ? not_written() : answered.error());
    return answered;
  }

  template <typename Body>
  auto call(Answer when, Telling telling, Body body) {
    using Answered = std::invoke_result_t<Body, LedgerCore&>;
    Answered answered = fail(ErrorKind::Stopped, "ledger: not asked");
    auto work = [&](LedgerCore& core) -> Result<void> {
      answered = body(core);
      if (!answered) return std::unexpected(answered.error());
      return {};
    };
    Call call;
    push(Task{std::ref(work), when, telling, &call, {}, {}})->wait(call.answered);
    if (!call.verdict) answered = std::unexpected(std::move(call.verdict.error()));
    return answered;
  }

  Result<void> queue(std::function<Result<void>(LedgerCore&)> body, Answer answer);
  // The gate at which to wait for the answer.
  std::shared_ptr<Gate> push(Task task) EXCLUDES(mutex_);
  static void tell(Task& task, const Result<void>& outcome);
  // Owns core_in_use_ if the writer rests and nothing is queued.
  std::unique_lock<std::mutex> writer_at_rest() EXCLUDES(mutex_);
  static Error not_written();
  std::vector<Task> take() EXCLUDES(mutex_);  // their gate is added to gates_
  bool wait_for_work() EXCLUDES(mutex_);
  void run();
  void run_group();
  void run_one(Task& task);
  void run_unwritten() EXCLUDES(mutex_);
  void commit_group();
  void undo_group(const Error& why) EXCLUDES(mutex_);

  const std::filesystem::path path_;

  // Held by whoever uses what stands next: the writer for a group, a caller for a question. Taken
  // before mutex_. A plain mutex, since callers only ever try it.
  std::mutex core_in_use_;
  std::unique_ptr<LedgerCore> core_;
  std::vector<Task> group_;                   // ran, not yet committed
  std::vector<std::shared_ptr<Gate>> gates_;  // of everyone who waits for this commit
  std::vector<Task> unwritten_;               // to be run again, in their order
  std::optional<Error> lost_;    // queued changes that could not be written; nobody was told yet
  std::optional<Error> defect_;  // of a queued change
  bool marked_ = false;          // the file, as damaged

  Mutex mutex_;
  CondVar work_;
  CondVar room_;
  std::vector<Task> queue_ GUARDED_BY(mutex_);
  // Of those in queue_ who wait for the commit.
  std::shared_ptr<Gate> next_gate_ GUARDED_BY(mutex_) = std::make_shared<Gate>();
  bool idle_ GUARDED_BY(mutex_) = false;
  bool run_again_ GUARDED_BY(mutex_) = false;  // unwritten_ holds something
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::jthread thread_;  // last: it uses everything above
};

}  // namespace millrace
