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

std::string requests_text(int count);          // "1 request"
std::string rough_duration(Duration d);        // "4 s", "3 min", "2 h 10 min"
std::string rough_size(std::uint64_t bytes);   // "1.2 MB"
std::string latency_text(Duration d);          // "80 ms", "1.2 s", "3 min"
std::string share_text(double share);          // "0.4%", "12%"
std::string a_minute_text(double per_second);  // "300 a minute", "0.5 a minute"

double milliseconds_of(Duration d);

}  // namespace millrace
