// A mutex whose use clang checks (-Wthread-safety); plain std::mutex underneath.
// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define MILLRACE_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define MILLRACE_THREAD_ANNOTATION(x)
#endif

#define CAPABILITY(x) MILLRACE_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY MILLRACE_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) MILLRACE_THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES(...) MILLRACE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) MILLRACE_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) MILLRACE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) MILLRACE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS MILLRACE_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace millrace {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.native()) {}
  ~MutexLock() RELEASE() = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  friend class CondVar;
  std::unique_lock<std::mutex> lock_;
};

// Waits are written as loops around the condition, so that the analysis sees what they read:
//   while (queue_.empty()) ready_.wait(lock);
class CondVar {
 public:
  void wait(MutexLock& lock) { cv_.wait(lock.lock_); }
  // False when the deadline passed.
  template <typename TimePointT>
  bool wait_until(MutexLock& lock, TimePointT deadline) {
    return cv_.wait_until(lock.lock_, deadline) == std::cv_status::no_timeout;
  }
  void notify_one() { cv_.notify_one(); }
  void notify_all() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace millrace
