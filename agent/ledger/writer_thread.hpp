// The thread that owns the ledger's one writing connection: it takes what the other threads ask
// for, runs as much as is there in one transaction, commits, and answers.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/ledger/ledger_core.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// When the caller goes on: at once; when the task ran; when it is committed.
enum class Answer { Queued, WhenRun, WhenCommitted };

// What an earlier failure of queued tasks means to a task: nothing; it is told and not run; the
// same, and also of failures that were our own fault.
enum class Telling { Nothing, LostWrites, Everything };

// One per calling thread. Shared, since the writer may still be in notify_one() when the caller
// has already seen the answer and its thread ends. Not std::atomic::wait: libstdc++ yields the
// processor a dozen times before it sleeps, which costs more than the sleep.
class Waiter {
 public:
  static const std::shared_ptr<Waiter>& of_this_thread();
  void wait() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!std::exchange(answered_, false)) answer_.wait(lock);
  }
  void answer() EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      answered_ = true;
    }
    answer_.notify_one();
  }

 private:
  Mutex mutex_;
  CondVar answer_;
  bool answered_ GUARDED_BY(mutex_) = false;
};

struct Task {
  std::function<Result<void>(LedgerCore&)> run;
  Answer answer = Answer::Queued;
  Telling telling = Telling::Nothing;
  Result<void>* verdict = nullptr;  // on the stack of the caller, who waits
  std::shared_ptr<Waiter> waiter;

  void tell(const Result<void>& outcome);
};

// Thread-safe. Destruction commits what is queued and closes the file.
class WriterThread {
 public:
  WriterThread(std::unique_ptr<LedgerCore> core, std::filesystem::path path);
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

  // Runs `body(core)` on the writer thread and returns what it returned.
  template <typename Body>
  auto ask(Body body) {
    return call(Answer::WhenRun, Telling::Nothing, std::move(body));
  }
  template <typename Body>
  auto ask_committed(Body body) {
    return call(Answer::WhenCommitted, Telling::Nothing, std::move(body));
  }
  template <typename Body>
  auto durably(Body body) {
    return call(Answer::WhenCommitted, Telling::LostWrites, std::move(body));
  }
  Result<void> flush();
  // Returns at once, or when fewer than some thousands of tasks are queued. Always a success.
  Result<void> queue(std::function<Result<void>(LedgerCore&)> body);

 private:
  template <typename Body>
  auto call(Answer when, Telling telling, Body body) {
    using Answered = std::invoke_result_t<Body, LedgerCore&>;
    Answered answered = fail(ErrorKind::Stopped, "ledger: not asked");
    Result<void> verdict;
    auto work = [&](LedgerCore& core) -> Result<void> {
      answered = body(core);
      if (!answered) return std::unexpected(answered.error());
      return {};
    };
    const auto& waiter = Waiter::of_this_thread();
    push(Task{std::ref(work), when, telling, &verdict, waiter});
    waiter->wait();
    if (!verdict) answered = std::unexpected(std::move(verdict.error()));
    return answered;
  }

  void push(Task task) EXCLUDES(mutex_);
  std::vector<Task> take() EXCLUDES(mutex_);
  bool wait_for_work() EXCLUDES(mutex_);
  void run();
  void run_group();
  void run_one(Task& task);
  void commit_group();
  void undo_group(const Error& why);

  const std::filesystem::path path_;

  // The writer thread's own.
  std::unique_ptr<LedgerCore> core_;
  std::vector<Task> group_;      // ran, not yet committed
  std::optional<Error> lost_;    // queued changes that could not be written; nobody was told yet
  std::optional<Error> defect_;  // of a queued change
  bool marked_ = false;          // the file, as damaged

  Mutex mutex_;
  CondVar work_;
  CondVar room_;
  std::vector<Task> queue_ GUARDED_BY(mutex_);
  bool idle_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::jthread thread_;  // last: it uses everything above
};

}  // namespace millrace
