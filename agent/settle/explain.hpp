// What a file waits for, in plain words, with the rule that decides.
#pragma once

#include <string>

#include "agent/settle/settle_engine.hpp"
#include "agent/settle/waiting_files.hpp"

namespace millrace {

std::string explain_waiting(const SettleRules& rules, const WaitingFile& file, TimePoint now);

}  // namespace millrace
