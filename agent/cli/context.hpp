// What most commands begin with: the configuration, the state folder, words for people.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/cli/options.hpp"
#include "agent/ledger/ledger.hpp"
#include "agent/transfer/http_client.hpp"
#include "config/load.hpp"
#include "platform/base/result.hpp"
#include "platform/host/host.hpp"

namespace millrace {

struct Context {
  StandardFolders folders;
  std::filesystem::path config_file;
  Settings settings;
  std::filesystem::file_time_type config_time = {};  // from before the file was read
};

// Where the configuration is: --config, MILLRACE_CONFIG, the usual place.
std::filesystem::path config_file_of(const Options& options, const StandardFolders& folders);
Surroundings surroundings(const StandardFolders& folders);

// When the file was last written; the least time if it is not there.
std::filesystem::file_time_type time_of(const std::filesystem::path& file);

// Loads everything; on a problem says it on stderr (or as JSON on stdout) and gives the exit
// status.
std::expected<Context, int> load_context(const Options& options);

// Where `fetch` keeps its state: --state-dir, what the configuration says if there is one, the
// usual place. A problem is said as load_context() does.
std::expected<std::filesystem::path, int> state_root(const Options& options);

// millrace-render lies beside this program.
std::filesystem::path render_program();
bool has_renderer();
Error no_renderer();  // what is said to somebody who wants it where it is not

std::filesystem::path ledger_file(const Settings& settings);
// Where an agent with this state folder listens, and its note of that in the state folder: whoever
// asks may have another XDG_RUNTIME_DIR, or none.
std::filesystem::path control_socket(const Settings& settings, const StandardFolders& folders);
Result<void> note_control_socket(const Settings& settings, const std::filesystem::path& socket);

// Prints `millrace: MESSAGE` on stderr, or {"error":{...}} on stdout with --json.
void say_error(const Options& options, const Error& error);
int exit_status_for(const Error& error);

// One request to the running agent; the JSON it answers. Vanished if no agent runs.
Result<std::string> ask_agent(const Context& context, std::string_view method,
                              const std::string& path_and_query);
std::string percent_encode(std::string_view text);

// Makes the state folder, 0700.
Result<void> make_state_dir(const std::filesystem::path& folder);

}  // namespace millrace
