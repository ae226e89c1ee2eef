// Renderer over one `millrace-render` worker process at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "agent/serve/renderer.hpp"
#include "platform/process/process.hpp"

namespace millrace {

struct ProcessRendererOptions {
  std::filesystem::path program;       // millrace-render, absolute
  std::filesystem::path scratch;       // the worker gets a folder of its own in it
  std::vector<std::string> arguments;  // in front of `--scratch DIR`
  int jobs_per_worker = 200;           // then a new one: what a decoder leaks goes with it
  ResourceLimits limits;               // of every worker
};

// The worker is started with the first job, again after it died or was ended, and after
// `jobs_per_worker` jobs. A worker that does not answer within the job's time and 5 s is killed.
// It sees one job at a time: input and output lie in its folder only while it works on them.
// `launcher` outlives the renderer.
std::unique_ptr<Renderer> make_process_renderer(ProcessRendererOptions options, Launcher& launcher);

}  // namespace millrace
