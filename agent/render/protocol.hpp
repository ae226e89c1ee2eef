// The lines that the worker and its parent exchange: one JSON object each way. Before its answer
// the worker sends kTakenUp; a request without it was never begun, whatever ended the worker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/render/options.hpp"

namespace millrace::render {

struct Limits {
  std::uint64_t pixels = 500'000'000;  // width times height, over all pages that are read
  unsigned seconds = 120;              // then the worker ends
};

struct ConvertRequest {
  std::string input;   // absolute; a regular file beneath the scratch folder
  std::string output;  // absolute; beneath the scratch folder, does not exist yet
  std::string from;    // a hint; the bytes decide
  std::string target;
  OptionTexts options;
  Limits limits;
};
struct ListRequest {};
struct BadRequest {
  std::string message;
};
using Request = std::variant<ConvertRequest, ListRequest, BadRequest>;

struct Converted {
  std::string content_type;
  int width = 0;  // of one page
  int height = 0;
  int pages = 1;
};

enum class Code { UnsupportedRoute, BrokenInput, TooLarge, BadOption, Internal };
struct Refused {
  Code code = Code::Internal;
  std::string message;
};

struct Route {
  std::string from;
  std::vector<std::string> to;
};

inline constexpr std::string_view kTakenUp;  // an empty line

Request parse_request(std::string_view line);

// Lines without their line end.
std::string reply_line(const Converted& converted);
std::string reply_line(const Refused& refused);
std::string formats_line(const std::vector<Route>& routes, const std::string& vips_version,
                         const std::string& confinement);

}  // namespace millrace::render
