// What happens next after an error: a table by kind, and nothing else. Pure.
#pragma once

#include <functional>
#include <string_view>

#include "platform/base/clock.hpp"
#include "platform/base/result.hpp"

namespace millrace {

enum class NextStep {
  Fail,        // final
  Wait,        // back to Waiting after `delay`, no attempt lost; mostly a gate holds it back anyway
  Retry,       // back to Waiting after `delay`, an attempt is used up
  SettleAnew,  // the source changed: this version is cancelled, the file settles again
  Cancel,      // the source is gone
};

struct Decision {
  NextStep step = NextStep::Fail;
  Duration delay{0};
  bool deferred = false;  // past the quick attempts
};

struct RetryRules {
  int quick_attempts = 4;
  Duration first_delay = std::chrono::seconds{1};     // quick: doubling, full jitter
  Duration first_deferral = std::chrono::minutes{1};  // deferred: doubling
  Duration longest_deferral = std::chrono::hours{1};
  Duration longest_wait = std::chrono::hours{24};  // whatever the server asks for
  Duration give_up_after = std::chrono::hours{24 * 5};
  // And not before so many: a machine is off for a week, or has the time of 1970 as it starts.
  int least_attempts = 20;
};

// `attempts` that counted so far, this one included; `age` since the first one began; `random`
// gives a number in [0, 1). error.retry_after is the least delay of Transient and Busy; for Rate it
// is the gate's to obey.
Decision decide(const RetryRules& rules, const Error& error, int attempts, Duration age,
                const std::function<double()>& random);

}  // namespace millrace
