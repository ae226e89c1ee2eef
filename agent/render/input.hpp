// The file that a job reads, looked at before any decoder sees it.
#pragma once

#include <expected>
#include <string>

#include "agent/render/formats.hpp"
#include "agent/render/protocol.hpp"

namespace millrace::render {

// The format that the first bytes tell; null for none of ours. Refused for what is no regular file
// (a link is none; a pipe is not waited for) and for an empty one.
std::expected<const Format*, Refused> look_at_input(const std::string& path);

// The whole file; empty where it cannot be read.
std::string read_whole(const std::string& path);

}  // namespace millrace::render
