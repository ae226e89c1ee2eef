// The JSON of this unit: lines to and from the render worker, and small documents of the API.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/serve/renderer.hpp"

namespace millrace::serve {

std::string render_line(const RenderJob& job);  // with its line end
std::string list_formats_line();

// Defect if the line is none of the worker's.
Result<Rendered> parse_rendered(std::string_view line);
Result<Formats> parse_formats(std::string_view line);

std::string formats_document(const Formats& formats);

// A flat JSON object as fields; numbers and booleans as they are written. Input otherwise.
Result<std::vector<std::pair<std::string, std::string>>> parse_fields(std::string_view document);

}  // namespace millrace::serve
