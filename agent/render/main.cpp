// millrace-render: converts pictures for its parent, one line of JSON at a time, confined to one
// folder.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "agent/render/engine.hpp"
#include "agent/render/protocol.hpp"
#include "platform/process/sandbox.hpp"

namespace millrace::render {
namespace {

// What a signal handler may touch: made before the clock is set.
struct Alarm {
  int answers = -1;
  std::array<char, 4096> output{};
};
Alarm g_alarm;

// A decoder that hangs cannot be interrupted, only left: the parent starts another worker.
void out_of_time(int) {
  constexpr std::string_view kLine =
      "{\"code\":\"too_large\",\"message\":\"conversion takes longer than permitted\","
      "\"ok\":false}\n";
  ::unlink(g_alarm.output.data());
  [[maybe_unused]] const ssize_t wrote = ::write(g_alarm.answers, kLine.data(), kLine.size());
  ::_exit(3);
}

struct Arguments {
  std::filesystem::path scratch;
  std::uint64_t memory = 0;  // bytes of address space; 0: no limit
  bool list_only = false;
};

std::optional<Arguments> read_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--formats") {
      arguments.list_only = true;
    } else if (name == "--scratch" && i + 1 < argc) {
      arguments.scratch = argv[++i];
    } else if (name == "--memory" && i + 1 < argc) {
      const char* const text = argv[++i];
      const auto [end, error] = std::from_chars(text, text + std::strlen(text), arguments.memory);
      if (error != std::errc{} || *end != '\0') return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  if (!arguments.list_only && !arguments.scratch.is_absolute()) return std::nullopt;
  return arguments;
}

// Libraries print where they like; from here on their standard output is our error stream.
int take_standard_output() {
  const int answers = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return answers;
}

bool send(int answers, std::string line) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t wrote = ::write(answers, rest.data(), rest.size());
    if (wrote < 0 && errno != EINTR) return false;
    if (wrote > 0) rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

bool lies_in(const std::string& path, const std::filesystem::path& scratch) {
  const std::filesystem::path given(path);
  return given.is_absolute() && given == given.lexically_normal() && given.has_filename() &&
         given.parent_path() == scratch.lexically_normal();
}

std::string answer(const ConvertRequest& request, const std::filesystem::path& scratch) {
  if (!lies_in(request.input, scratch) || !lies_in(request.output, scratch) ||
      request.output.size() >= g_alarm.output.size()) {
    return reply_line(Refused{Code::Internal, "input and output must lie in the scratch folder"});
  }
  std::ranges::copy(request.output, g_alarm.output.begin());
  g_alarm.output[request.output.size()] = '\0';
  ::alarm(request.limits.seconds);
  const auto done = convert(request);
  ::alarm(0);
  return done ? reply_line(*done) : reply_line(done.error());
}

// The folders that fonts, profiles and tables of the decoders lie in.
ConfineRules rules_for(const Arguments& arguments) {
  ConfineRules rules;
  rules.scratch = arguments.scratch;
  rules.readable = {"/usr/lib",      "/usr/local/lib",   "/lib",
                    "/lib64",        "/usr/share",       "/usr/local/share",
                    "/etc/fonts",    "/etc/ld.so.cache", "/var/cache/fontconfig",
                    "/proc/meminfo", "/proc/cpuinfo",    "/sys/devices/system",
                    "/dev/null",     "/dev/urandom"};
  if (arguments.memory != 0) rules.limits.address_space = arguments.memory;
  rules.limits.open_files = 256;
  return rules;
}

void serve(const Arguments& arguments, int answers, const std::string& confinement) {
  std::string line;
  while (std::getline(std::cin, line)) {
    const Request request = parse_request(line);
    std::string reply;
    if (const auto* job = std::get_if<ConvertRequest>(&request)) {
      reply = answer(*job, arguments.scratch);
    } else if (const auto* bad = std::get_if<BadRequest>(&request)) {
      reply = reply_line(Refused{Code::Internal, bad->message});
    } else {
      reply = formats_line(routes(), engine_version(), confinement);
    }
    if (!send(answers, reply)) return;
  }
}

int run(int argc, char** argv) {
  const auto arguments = read_arguments(argc, argv);
  if (!arguments) {
    std::cerr << "usage: millrace-render --scratch DIR [--memory BYTES] | --formats\n";
    return 2;
  }
  g_alarm.answers = take_standard_output();
  ::signal(SIGALRM, out_of_time);
  ::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);  // one thread computes; more arenas only keep memory
  // Large pictures that are not read in order are kept in a file: it lies in the scratch folder.
  ::setenv("TMPDIR", arguments->scratch.c_str(), 1);
  if (!start_engine(argv[0])) {
    std::cerr << "libvips does not start\n";
    return 1;
  }
  if (arguments->list_only) {
    return send(g_alarm.answers, formats_line(routes(), engine_version(), "")) ? 0 : 1;
  }
  const auto confined = confine(rules_for(*arguments));
  if (!confined) {
    std::cerr << confined.error().message << '\n';
    return 1;
  }
  serve(*arguments, g_alarm.answers, confined->text);
  // Destructors of a hundred libraries are of no use to anybody.
  ::_exit(0);
}

}  // namespace
}  // namespace millrace::render

int main(int argc, char** argv) { return millrace::render::run(argc, argv); }
