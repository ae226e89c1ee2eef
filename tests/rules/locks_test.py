"""clang 19 refuses what breaks the annotations of platform/base/mutex.hpp; without them it would not
know which lock guards what, and would say nothing."""

import subprocess
import sys

import tree as trees

CLASS = """
#include "platform/base/mutex.hpp"
class Counter {
 public:
  void add() { %s ++count_; }
  void add_locked() REQUIRES(mutex_) { ++count_; }
  void add_both() EXCLUDES(mutex_) { %s add_locked(); }
 private:
  millrace::Mutex mutex_;
  int count_ GUARDED_BY(mutex_) = 0;
};
void use(Counter& counter) { counter.add(); counter.add_both(); }
"""
LOCK = "const millrace::MutexLock lock(mutex_);"
# What the source holds in its two places, and what clang must say of it.
CASES = [
    ((LOCK, LOCK), ""),
    (("", LOCK), "requires holding mutex 'mutex_'"),
    ((LOCK, ""), "requires holding mutex 'mutex_' exclusively"),
    ((LOCK, LOCK + LOCK.replace("lock", "again", 1)), "already held"),
]


def main():
    wrong = 0
    for locks, says in CASES:
        done = subprocess.run(
            ["clang++-19", "-std=c++23", "-fsyntax-only", "-Wthread-safety",
             "-Werror=thread-safety", "-I", str(trees.TOP), "-x", "c++", "-"],
            input=CLASS % locks, capture_output=True, text=True)
        good = says in done.stderr and (done.returncode == 0) == (says == "")
        if not good:
            wrong += 1
            print(f"{locks}: status {done.returncode}, wanted {says!r}:\n{done.stderr}")
    print(f"{len(CASES) - wrong} of {len(CASES)} as it should be")
    sys.exit(1 if wrong else 0)


main()
