// How long a file has to be quiet, by what is known about its writer. Pure.
#pragma once

#include <string_view>

#include "agent/job/observation.hpp"
#include "agent/settle/settle_engine.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

// After this long without a change a missing end mark is let pass.
inline constexpr Duration kEndMarkPatience = std::chrono::seconds{10};
// A scanned file whose change time is further back may be handed on at once.
inline constexpr Duration kOld = std::chrono::seconds{10};
// An empty file is set aside after this long, where the probe proves that no writer is left, and
// where it cannot.
inline constexpr Duration kEmptyPatience = std::chrono::seconds{10};
inline constexpr Duration kEmptyPatienceUnproven = std::chrono::seconds{60};
inline constexpr Duration kLongestLearnt = std::chrono::seconds{60};

// `writer` is what the last probe said; None before there was one, so that the first probe comes
// as early as it can be of use.
Duration quiet_time(const SettleRules& rules, std::string_view name, Evidence why,
                    WriterTest writer);

// The same rule in words: "the last writer closed it; more pages may follow".
std::string_view quiet_reason(const SettleRules& rules, std::string_view name, Evidence why,
                              WriterTest writer);

// A start-up scan's short cut: an old file needs no quiet time, given that the probe finds no
// writer.
bool counts_as_old(const SettleRules& rules, Evidence why, Duration change_age);

}  // namespace millrace
