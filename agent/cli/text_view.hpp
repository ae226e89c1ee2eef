// The JSON that people's questions are answered with, as text for a terminal.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "platform/base/clock.hpp"

namespace millrace {

std::string status_text(const nlohmann::json& status);
std::string failures_text(const nlohmann::json& failures);
std::string explain_text(const nlohmann::json& explanation);

std::string requests_text(int count);         // "1 request"
std::string rough_duration(Duration d);       // "4 s", "3 min", "2 h 10 min"
std::string rough_size(std::uint64_t bytes);  // "1.2 MB"

}  // namespace millrace
