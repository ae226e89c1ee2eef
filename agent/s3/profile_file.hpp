// The shared files of the AWS tools: `~/.aws/credentials` and `~/.aws/config`.
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

using Profile = std::map<std::string, std::string>;  // names in lower case

// A section is `[NAME]` in credentials, and `[profile NAME]` or `[default]` in config.
enum class ProfileFile { Credentials, Config };

// The settings of one profile, of all its sections together; the last value of a name counts.
// Nothing if there is no such section. Indented lines (nested settings) and lines that are none are
// left out.
std::optional<Profile> find_profile(std::string_view text, ProfileFile file, std::string_view name);

}  // namespace millrace
