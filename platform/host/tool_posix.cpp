#include "platform/host/tool_posix.hpp"

#include "platform/host/user_posix.hpp"
#include "platform/process/process.hpp"

namespace millrace {
namespace {

constexpr int kKilled = 128;

// Says in words what a late tool is.
std::unexpected<Error> of_tool(Error error, const std::filesystem::path& program) {
  if (error.kind == ErrorKind::Transient) error.message = "it does not end";
  return with_context(std::move(error), program.string());
}

}  // namespace

Result<ToolEnd> run_tool(const std::filesystem::path& program, std::vector<std::string> arguments,
                         std::string_view input, std::chrono::seconds limit) {
  const auto launcher = make_launcher();
  if (!launcher) return std::unexpected(launcher.error());
  SpawnRequest request;
  request.program = program;
  request.arguments = std::move(arguments);
  request.environment = {{"HOME", home_folder().string()},
                         {"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"}};
  request.in = input.empty() ? ChildStream::Null : ChildStream::Pipe;
  request.out = request.err = ChildStream::Pipe;
  const auto child = (*launcher)->spawn(std::move(request));
  if (!child) return std::unexpected(child.error());
  const TimePoint deadline = std::chrono::steady_clock::now() + limit;
  // A tool that reads no further says why in its own words.
  if (auto wrote = (*child)->write(input, deadline);
      !wrote && wrote.error().kind != ErrorKind::Vanished) {
    return of_tool(wrote.error(), program);
  }
  (*child)->close_input();
  ToolEnd end;
  for (;;) {
    const auto line = (*child)->read_line(deadline);
    if (!line) return of_tool(line.error(), program);
    if (!*line) break;
    end.output += **line + "\n";
  }
  const auto ended = (*child)->wait(deadline);
  if (!ended) return of_tool(ended.error(), program);
  if (!*ended) return of_tool({ErrorKind::Transient, {}, 0, {}}, program);
  const bool exited = (*ended)->how == ExitStatus::How::Exited;
  end.status = exited ? (*ended)->code : kKilled + (*ended)->code;
  end.errors = (*child)->error_tail();
  return end;
}

}  // namespace millrace
