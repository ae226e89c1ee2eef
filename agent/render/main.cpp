// millrace-render: converts pictures for its parent, one line of JSON at a time, confined to one
// folder.
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

#include "agent/render/engine.hpp"
#include "agent/render/protocol.hpp"
#include "platform/base/native_path.hpp"
#include "platform/process/sandbox.hpp"
#include "platform/process/worker.hpp"

namespace millrace::render {
namespace {

// A decoder that hangs cannot be interrupted, only left: the parent starts another worker.
constexpr std::string_view kOutOfTime =
    R"({"code":"too_large","message":"conversion takes longer than permitted","ok":false})";

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

bool lies_in(const std::string& path, const std::filesystem::path& scratch) {
  const std::filesystem::path given(path);
  return given.is_absolute() && given == given.lexically_normal() && given.has_filename() &&
         given.parent_path() == scratch.lexically_normal();
}

std::string answer(const ConvertRequest& request, const std::filesystem::path& scratch) {
  if (!lies_in(request.input, scratch) || !lies_in(request.output, scratch)) {
    return reply_line(Refused{Code::Internal, "input and output must lie in the scratch folder"});
  }
  const Deadline deadline{.seconds = request.limits.seconds, .unfinished = request.output};
  if (auto begun = begin_deadline(deadline, kOutOfTime); !begun) {
    return reply_line(Refused{Code::Internal, begun.error().message});
  }
  const auto done = convert(request);
  end_deadline();
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

void serve(const Arguments& arguments, const std::string& confinement) {
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!answer_line(std::string(kTakenUp))) return;
    const Request request = parse_request(line);
    std::string reply;
    if (const auto* job = std::get_if<ConvertRequest>(&request)) {
      reply = answer(*job, arguments.scratch);
    } else if (const auto* bad = std::get_if<BadRequest>(&request)) {
      reply = reply_line(Refused{Code::Internal, bad->message});
    } else {
      reply = formats_line(routes(), engine_version(), confinement);
    }
    if (!answer_line(std::move(reply))) return;
  }
}

int run(int argc, char** argv) {
  const auto arguments = read_arguments(argc, argv);
  if (!arguments) {
    std::cerr << "usage: millrace-render --scratch DIR [--memory BYTES] | --formats\n";
    return 2;
  }
  if (auto begun = begin_worker(); !begun) {
    std::cerr << begun.error().message << '\n';
    return 1;
  }
  // Large pictures that are not read in order are kept in a file: it lies in the scratch folder.
  set_temporary_folder(path_text(arguments->scratch));
  if (!start_engine(argv[0])) {
    std::cerr << "libvips does not start\n";
    return 1;
  }
  if (arguments->list_only) {
    return answer_line(formats_line(routes(), engine_version(), "")) ? 0 : 1;
  }
  const auto confined = confine(rules_for(*arguments));
  if (!confined) {
    std::cerr << confined.error().message << '\n';
    return 1;
  }
  serve(*arguments, confined->text);
  leave_worker(0);  // destructors of a hundred libraries are of no use to anybody
}

}  // namespace
}  // namespace millrace::render

int main(int argc, char** argv) { return millrace::render::run(argc, argv); }
