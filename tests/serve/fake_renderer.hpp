// A Renderer by hand that behaves as the fake worker does, and can be held up.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>

#include "agent/serve/renderer.hpp"
#include "platform/base/mutex.hpp"

namespace millrace::test {

// What all fakes of one test share.
struct RenderControl {
  std::atomic<int> rendered{0};
  std::atomic<int> waiting{0};
  std::atomic<bool> held{false};  // while set, every render() waits
};

// The program that the process renderer is tested with.
std::filesystem::path fake_worker();

std::unique_ptr<Renderer> make_fake_renderer(std::shared_ptr<RenderControl> control);

}  // namespace millrace::test
