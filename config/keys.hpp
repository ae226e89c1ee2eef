// The one table of keys: what may stand in each section, how it is read, and what it is when
// absent.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "config/raw_value.hpp"

namespace millrace {

// How a key is read into its struct. Returns what is wrong with the value, or nothing.
template <typename Target>
struct Key {
  std::string_view name;
  std::string_view form;  // for messages and the reference: "duration", "list of texts"
  std::string_view default_text;
  std::string_view meaning;
  std::string (*read)(Target& target, const RawValue& value);
};

std::span<const Key<AgentSettings>> agent_keys();
std::span<const Key<DashboardSettings>> dashboard_keys();
std::span<const Key<EventsSettings>> events_keys();
std::span<const Key<ConverterSettings>> converter_keys();
std::span<const Key<S3Settings>> s3_keys();
std::span<const Key<FolderSettings>> folder_keys();

// The nearest of `names` if it is near enough to be a slip of the finger, else empty.
std::string_view did_you_mean(std::string_view unknown, std::span<const std::string_view> names);

}  // namespace millrace
