#include "agent/serve/process_renderer.hpp"

#include <filesystem>
#include <optional>
#include <random>
#include <string>

#include "agent/serve/json_text.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// The worker's own limit comes first, with a better message than a kill.
constexpr std::chrono::seconds kGrace{5};
constexpr std::chrono::seconds kStartTime{30};

namespace fs = std::filesystem;

// The folder of one worker: it holds nothing but the job under way.
class Bench {
 public:
  explicit Bench(const fs::path& scratch)
      : folder_(scratch / ("worker-" + std::to_string(std::random_device{}()))) {}
  ~Bench() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  const fs::path& folder() const { return folder_; }

  Result<void> make() const {
    std::error_code error;
    fs::create_directory(folder_, error);
    if (error) return problem(error);
    return {};
  }
  // The job as the worker sees it. The input gets a second name, or where the file system has none
  // a copy.
  Result<RenderJob> lay_out(const RenderJob& job) const {
    if (auto made = make(); !made) return std::unexpected(made.error());
    if (auto emptied = empty(); !emptied) return std::unexpected(emptied.error());
    RenderJob own = job;
    own.input = folder_ / "in";
    own.output = folder_ / "out";
    std::error_code error;
    fs::create_hard_link(job.input, own.input, error);
    if (error) fs::copy_file(job.input, own.input, error);
    if (error) return problem(error);
    return own;
  }
  Result<void> hand_over(const RenderJob& own, const RenderJob& job) const {
    std::error_code error;
    fs::rename(own.output, job.output, error);
    if (error) return problem(error);
    return {};
  }
  Result<void> empty() const {
    std::error_code error;
    const fs::directory_iterator end;
    for (fs::directory_iterator at(folder_, error); at != end; at.increment(error)) {
      fs::remove_all(at->path(), error);
      if (error) return problem(error);
    }
    if (error) return problem(error);
    return {};
  }

 private:
  static std::unexpected<Error> problem(const std::error_code& error) {
    return fail(ErrorKind::Environment, "the scratch folder: " + error.message(), error.value());
  }

  const fs::path folder_;
};

class ProcessRenderer final : public Renderer {
 public:
  ProcessRenderer(ProcessRendererOptions options, Launcher& launcher)
      : options_(std::move(options)), launcher_(launcher), bench_(options_.scratch) {}

  Result<Rendered> render(const RenderJob& job) override {
    if (jobs_ >= options_.jobs_per_worker) retire();
    ++jobs_;
    const auto own = bench_.lay_out(job);
    if (!own) return std::unexpected(own.error());
    auto rendered = render_on_bench(*own);
    const bool well = rendered && rendered->code == RenderCode::Ok;
    const auto moved = well ? bench_.hand_over(*own, job) : Result<void>{};
    // What does not go now goes before the next job, or that job fails.
    [[maybe_unused]] const auto emptied = bench_.empty();
    if (!moved) return std::unexpected(moved.error());
    return rendered;
  }

  Result<Formats> formats() override {
    const auto reply = converse(serve::list_formats_line(), now() + kStartTime);
    if (!reply) return std::unexpected(reply.error());
    if (reply->line) return serve::parse_formats(*reply->line);
    return does_not_work(reply->ending);
  }

  void cancel() override {
    const MutexLock lock(mutex_);
    stopped_ = true;
    if (worker_) worker_->kill();
  }

 private:
  struct Reply {
    std::optional<std::string> line;
    std::string ending;  // how the worker ended, if there is no line
  };

  Result<Rendered> render_on_bench(const RenderJob& job) {
    const TimePoint began = now();
    const auto reply = converse(serve::render_line(job), began + job.limits.time + kGrace);
    if (!reply) return std::unexpected(reply.error());
    if (reply->line) {
      auto rendered = serve::parse_rendered(*reply->line);
      // A worker that runs out of time says so in its last line, as a file that is too large.
      if (rendered && rendered->code == RenderCode::TooLarge && now() - began >= job.limits.time)
        rendered->code = RenderCode::TooSlow;
      if (!rendered || rendered->code == RenderCode::Internal ||
          rendered->code == RenderCode::TooSlow)
        retire();
      return rendered;
    }
    if (stopped()) return stopped_error();
    Rendered lost;
    lost.code = now() - began >= job.limits.time ? RenderCode::TooSlow : RenderCode::DecoderCrashed;
    lost.message =
        lost.code == RenderCode::TooSlow
            ? "the conversion took longer than " + std::to_string(job.limits.time.count()) + " s"
            : "the decoder died over this file (" + reply->ending + ")";
    return lost;
  }

  static TimePoint now() { return SystemClock().now(); }
  static std::unexpected<Error> stopped_error() {
    return fail(ErrorKind::Stopped, "the renderer was stopped");
  }

  bool stopped() {
    const MutexLock lock(mutex_);
    return stopped_;
  }

  // One line there; an empty one comes back when the worker takes it up, then the answer. A worker
  // that ends before it took the line up, killed while it was idle, say, has cost nothing: the line
  // goes to a new one.
  Result<Reply> converse(const std::string& line, TimePoint deadline) {
    std::string ending;
    for (int tries = 0; tries < 2; ++tries) {
      auto worker = ready_worker();
      if (!worker) return std::unexpected(worker.error());
      if ((*worker)->write(line, deadline) && next_line(**worker, deadline) == "") {
        if (auto answer = next_line(**worker, deadline)) return Reply{std::move(answer), {}};
        return Reply{std::nullopt, end_worker(**worker)};
      }
      ending = end_worker(**worker);
    }
    if (stopped()) return stopped_error();
    return does_not_work(ending);
  }

  static std::optional<std::string> next_line(Child& worker, TimePoint deadline) {
    auto line = worker.read_line(deadline);
    return line ? std::move(*line) : std::nullopt;
  }

  std::unexpected<Error> does_not_work(const std::string& ending) const {
    return fail(ErrorKind::Environment,
                path_text(options_.program) + " does not work (" + ending + ")");
  }

  // `worker_` changes under the lock, for cancel(); only this thread changes it, so that what is
  // returned stays until this thread retires it.
  Result<Child*> ready_worker() {
    {
      const MutexLock lock(mutex_);
      if (stopped_) return stopped_error();
      if (worker_) return worker_.get();
    }
    if (auto made = bench_.make(); !made) return std::unexpected(made.error());
    auto child = launcher_.spawn(request());
    if (!child) return std::unexpected(child.error());
    const MutexLock lock(mutex_);
    if (stopped_) return stopped_error();
    jobs_ = 1;
    worker_ = std::move(*child);
    return worker_.get();
  }

  SpawnRequest request() const {
    SpawnRequest spawn;
    spawn.program = options_.program;
    spawn.arguments = options_.arguments;
    spawn.arguments.insert(spawn.arguments.end(), {"--scratch", path_text(bench_.folder())});
    spawn.environment = {{"LC_ALL", "C.UTF-8"}, {"TMPDIR", path_text(bench_.folder())}};
    spawn.directory = bench_.folder();
    spawn.in = ChildStream::Pipe;
    spawn.out = ChildStream::Pipe;
    spawn.err = ChildStream::Pipe;
    spawn.limits = options_.limits;
    return spawn;
  }

  // A worker that ended on its own tells by which signal; one that still runs is killed.
  std::string end_worker(Child& worker) {
    auto status = worker.wait(now() + std::chrono::milliseconds{200});
    if (!status || !*status) {
      worker.kill();
      status = worker.wait(now() + std::chrono::seconds{5});
    }
    std::string ending = status && *status ? to_string(**status) : "it could not be ended";
    const std::string tail = worker.error_tail();
    const std::size_t last = tail.find_last_not_of("\r\n ");
    if (last != std::string::npos) {
      const std::size_t begin = tail.find_last_of('\n', last);
      ending += ": " + printable(std::string_view(tail).substr(
                                     begin == std::string::npos ? 0 : begin + 1, last - begin),
                                 300);
    }
    retire();
    return ending;
  }

  void retire() {
    std::unique_ptr<Child> old;  // its destructor reaps, so not under the lock
    const MutexLock lock(mutex_);
    old = std::move(worker_);
    jobs_ = 0;
  }

  const ProcessRendererOptions options_;
  Launcher& launcher_;
  const Bench bench_;
  int jobs_ = 0;  // the dispatcher's thread only
  Mutex mutex_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::unique_ptr<Child> worker_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Renderer> make_process_renderer(ProcessRendererOptions options,
                                                Launcher& launcher) {
  return std::make_unique<ProcessRenderer>(std::move(options), launcher);
}

}  // namespace millrace
