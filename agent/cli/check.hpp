// What `millrace check` looks at. Nothing is changed, uploaded or paid for; no secret is printed.
#pragma once

#include <vector>

#include "agent/cli/check_finding.hpp"
#include "agent/cli/context.hpp"

namespace millrace {

// One row of the table: looks at one kind of thing, everywhere the settings name it. May block on
// disks and shares; on the network for 10 s at most.
struct Check {
  const char* name;
  std::vector<Finding> (*run)(const Context& context);
};

// check_state.cpp: what the program itself needs.
std::vector<Finding> check_configuration(const Context& context);
std::vector<Finding> check_state_dir(const Context& context);
std::vector<Finding> check_agent(const Context& context);

// event_listener.cpp: where stores push events.
std::vector<Finding> check_events(const Context& context);

// check_folders.cpp, check_places.cpp, check_trees.cpp: what lies on disks.
std::vector<Finding> check_inboxes(const Context& context);
std::vector<Finding> check_outputs(const Context& context);
std::vector<Finding> check_drives(const Context& context);
std::vector<Finding> check_space(const Context& context);
std::vector<Finding> check_places(const Context& context);
std::vector<Finding> check_trees(const Context& context);

// check_stores.cpp: what buckets are reached with.
std::vector<Finding> check_stores(const Context& context);

// check_converters.cpp, check_servers.cpp: who converts.
std::vector<Finding> check_keys(const Context& context);
std::vector<Finding> check_secret_files(const Context& context);
std::vector<Finding> check_renderer(const Context& context);
std::vector<Finding> check_servers(const Context& context);

// How bad trouble with this converter is: a Warning only if no folder uses it.
FindingLevel trouble_with(const Context& context, const ConverterSettings& converter);

}  // namespace millrace
