// An attempt of one who waits for its row to be on disk.
#pragma once

#include <future>
#include <memory>

#include "agent/ledger/ledger.hpp"

namespace millrace::test {

inline Result<int> begin_attempt(Ledger& ledger, const AttemptStart& start, WallTime now) {
  const auto promise = std::make_shared<std::promise<Result<int>>>();
  auto begun = promise->get_future();
  ledger.begin_attempt(start, now,
                       [promise](const Result<int>& attempt) { promise->set_value(attempt); });
  return begun.get();
}

}  // namespace millrace::test
