// libvips behind two functions. Its headers stand in engine_vips.cpp and bitmap_vips.cpp only.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "agent/render/protocol.hpp"

namespace millrace::render {

// Starts libvips and loads all of its modules, so that nothing is loaded later; once, while the
// process has one thread. Decoders that libvips marks as untrusted are refused, save those of our
// table; nothing is cached, one thread computes. False where libvips cannot start.
bool start_engine(const char* program_name);

std::string engine_version();

// What the installed libvips can read and write of our table.
std::vector<Route> routes();

// Blocks until the file is converted and was read again. On failure no output is left.
std::expected<Converted, Refused> convert(const ConvertRequest& request);

}  // namespace millrace::render
