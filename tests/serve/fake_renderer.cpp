#include "tests/serve/fake_renderer.hpp"

#include <thread>

#include "platform/process/process.hpp"
#include "tests/support/scratch.hpp"

namespace millrace::test {
namespace {

class FakeRenderer final : public Renderer {
 public:
  explicit FakeRenderer(std::shared_ptr<RenderControl> control) : control_(std::move(control)) {}

  Result<Rendered> render(const RenderJob& job) override {
    ++control_->waiting;
    while (control_->held && !cancelled_) std::this_thread::yield();
    --control_->waiting;
    if (cancelled_) return fail(ErrorKind::Stopped, "stopped");
    ++control_->rendered;
    const std::string bytes = read_file(job.input);
    Rendered out;
    if (bytes.starts_with("crash") || bytes.starts_with("exit")) {
      out.code = RenderCode::DecoderCrashed;
    } else if (bytes.starts_with("hang")) {
      out.code = RenderCode::TooSlow;
    } else if (bytes.starts_with("broken")) {
      out.code = RenderCode::BrokenInput;
      out.message = "not a picture";
    } else if (job.target != "up") {
      out.code = RenderCode::UnsupportedRoute;
    } else {
      write_file(job.output, "UP:" + bytes);
      out.content_type = "image/up";
      out.width = 1;
      out.height = 2;
      out.pages = 3;
    }
    return out;
  }
  Result<Formats> formats() override {
    if (cancelled_) return fail(ErrorKind::Stopped, "stopped");
    return Formats{{{"txt", {"up"}}}, "vips 0"};
  }
  void cancel() override { cancelled_ = true; }

 private:
  std::shared_ptr<RenderControl> control_;
  std::atomic<bool> cancelled_{false};  // set by cancel() while render() waits
};

}  // namespace

std::filesystem::path fake_worker() { return own_program_folder().value() / FAKE_WORKER; }

std::unique_ptr<Renderer> make_fake_renderer(std::shared_ptr<RenderControl> control) {
  return std::make_unique<FakeRenderer>(std::move(control));
}

}  // namespace millrace::test
