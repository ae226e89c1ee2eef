// One contract for the fake and for the worker process.
#include "agent/serve/process_renderer.hpp"
#include "platform/base/native_path.hpp"
#include "tests/serve/fake_renderer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

#include <thread>

namespace millrace {
namespace {

using namespace std::chrono_literals;
using test::Scratch;

struct RendererBench {
  Scratch scratch;
  std::unique_ptr<Launcher> launcher = std::move(make_launcher().value());
  std::unique_ptr<Renderer> renderer;
  int count = 0;

  std::unique_ptr<Renderer> process(int jobs_per_worker = 100,
                                    const std::filesystem::path& program = test::fake_worker(),
                                    std::vector<std::string> arguments = {}) {
    return make_process_renderer({.program = program,
                                  .scratch = scratch.path(),
                                  .arguments = std::move(arguments),
                                  .jobs_per_worker = jobs_per_worker,
                                  .limits = {}},
                                 *launcher);
  }
  RenderJob job(std::string_view bytes, std::string target = "up") {
    const std::string n = std::to_string(++count);
    test::write_file(scratch / ("in-" + n), bytes);
    return {scratch / ("in-" + n), scratch / ("out-" + n), "", std::move(target), {}, {1, 60s}};
  }
};

}  // namespace

namespace {

// What a renderer can do and cannot: the contract is the same for all.
struct Subject {
  const char* name;
  std::unique_ptr<Renderer> (*make)(RendererBench& bench);
  const char *from, *engine, *good, *target, *content_type, *begins;
  std::vector<std::pair<const char*, RenderCode>> bad;
};

const std::vector<Subject>& subjects() {
  static const std::vector<std::pair<const char*, RenderCode>> kBad = {
      {"broken", RenderCode::BrokenInput},
      {"crash", RenderCode::DecoderCrashed},
      {"exit", RenderCode::DecoderCrashed},
  };
  static const std::vector<Subject> kAll = {
      {"fake",
       [](RendererBench&) {
         return test::make_fake_renderer(std::make_shared<test::RenderControl>());
       },
       "txt", "vips 0", "hello", "up", "image/up", "UP:hello", kBad},
      {"worker process", [](RendererBench& bench) { return bench.process(); }, "txt", "vips 0",
       "hello", "up", "image/up", "UP:hello", kBad},
#if defined(RENDER_WORKER)
      {"millrace-render",
       [](RendererBench& bench) { return bench.process(100, RENDER_WORKER); },
       "jpg",
       "vips 8",
       "P3 1 1 255 9 8 7\n",
       "png",
       "image/png",
       "\x89PNG",
       {{"no picture", RenderCode::UnsupportedRoute}, {"P6 1 1 255\n", RenderCode::BrokenInput}}},
#endif
  };
  return kAll;
}

}  // namespace

TEST_CASE("every renderer keeps the contract") {
  const std::size_t which = GENERATE(range(std::size_t{0}, subjects().size()));
  const Subject& subject = subjects().at(which);
  INFO(subject.name);
  RendererBench bench;
  auto renderer = subject.make(bench);
  const auto formats = renderer->formats();
  REQUIRE(formats);
  CHECK(formats->routes.at(0).from == subject.from);
  CHECK(formats->engine.starts_with(subject.engine));

  auto job = bench.job(subject.good, subject.target);
  auto done = renderer->render(job);
  REQUIRE(done);
  CHECK(done->code == RenderCode::Ok);
  CHECK(done->content_type == subject.content_type);
  CHECK(done->pages >= 1);
  CHECK(test::read_file(job.output).starts_with(subject.begins));
  CHECK(test::read_file(job.input) == subject.good);

  for (const auto& [bytes, code] : subject.bad) {
    INFO(bytes);
    const auto bad = bench.job(bytes, subject.target);
    done = renderer->render(bad);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);
    CHECK(done->code == code);
    CHECK_FALSE(std::filesystem::exists(bad.output));
    CHECK(renderer->render(bench.job(subject.good, subject.target))->code == RenderCode::Ok);
  }
  CHECK(renderer->render(bench.job(subject.good, "nope"))->code == RenderCode::UnsupportedRoute);

  renderer->cancel();
  CHECK(renderer->render(bench.job("x")).error().kind == ErrorKind::Stopped);
  CHECK(renderer->formats().error().kind == ErrorKind::Stopped);
}

TEST_CASE("a worker has a folder of its own, which is empty between jobs and gone in the end") {
  RendererBench bench;
  auto renderer = bench.process();
  const auto folders = [&] {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(bench.scratch.path()))
      if (entry.is_directory()) found.push_back(entry.path());
    return found;
  };
  for (const char* bytes : {"hello", "broken", "crash", "hello"}) {
    REQUIRE(renderer->render(bench.job(bytes)));
    REQUIRE(folders().size() == 1);
    CHECK(std::filesystem::is_empty(folders().at(0)));
  }
  renderer.reset();
  CHECK(folders().empty());
}

TEST_CASE("a worker serves many jobs and is replaced after its share of them") {
  RendererBench bench;
  auto renderer = bench.process(2);
  std::vector<std::string> who;
  for (int i = 0; i < 4; ++i) {
    const auto job = bench.job("who");
    REQUIRE(renderer->render(job));
    who.push_back(test::read_file(job.output));
  }
  CHECK(who[0] == who[1]);
  CHECK(who[1] != who[2]);
  CHECK(who[2] == who[3]);
}

TEST_CASE("a worker that hangs is killed at its time and costs one job") {
  RendererBench bench;
  auto renderer = bench.process();
  REQUIRE(renderer->formats());  // it runs
  auto job = bench.job("hang");
  job.limits.time = 0s;  // the grace of 5 s remains
  const auto done = renderer->render(job);
  REQUIRE(done);
  CHECK(done->code == RenderCode::TooSlow);
  CHECK(renderer->render(bench.job("after"))->code == RenderCode::Ok);
}

TEST_CASE("how a worker died is told, with its last words") {
  RendererBench bench;
  auto renderer = bench.process();
  const auto done = renderer->render(bench.job("exit"));
  REQUIRE(done);
  CHECK(done->message.find("exit code 7") != std::string::npos);
  CHECK(done->message.find("out of luck") != std::string::npos);
}

TEST_CASE("a worker that dies before it takes a file up costs that file nothing") {
  RendererBench bench;
  const std::string died = path_text(bench.scratch / "died");
  auto renderer = bench.process(100, test::fake_worker(), {"--die-first", died});
  const auto done = renderer->render(bench.job("hello"));
  REQUIRE(done);
  CHECK(done->code == RenderCode::Ok);
  CHECK(std::filesystem::exists(native_path(died)));
}

TEST_CASE("a worker program that always dies at once is no fault of the file") {
  RendererBench bench;
  auto renderer = bench.process(100, test::fake_worker(), {"--fail"});
  const auto done = renderer->render(bench.job("hello"));
  REQUIRE(!done);
  CHECK(done.error().kind == ErrorKind::Environment);
  CHECK(done.error().message == path_text(test::fake_worker()) + " does not work (exit code 1)");
  CHECK(renderer->formats().error().message == done.error().message);
}

TEST_CASE("a worker that answers nonsense is a defect and is replaced") {
  RendererBench bench;
  auto renderer = bench.process();
  CHECK(renderer->render(bench.job("garbage")).error().kind == ErrorKind::Defect);
  CHECK(renderer->render(bench.job("after"))->code == RenderCode::Ok);
}

TEST_CASE("cancel ends a job under way at once") {
  RendererBench bench;
  auto renderer = bench.process();
  REQUIRE(renderer->formats());
  const auto job = bench.job("hang");
  const auto began = std::chrono::steady_clock::now();
  std::jthread other([&] { renderer->cancel(); });
  const auto done = renderer->render(job);
  REQUIRE(!done);
  CHECK(done.error().kind == ErrorKind::Stopped);
  CHECK(std::chrono::steady_clock::now() - began < 5s);
}

TEST_CASE("a program that is not there is an error and no crash") {
  RendererBench bench;
  auto renderer = make_process_renderer({.program = bench.scratch / "nothing",
                                         .scratch = bench.scratch.path(),
                                         .arguments = {},
                                         .jobs_per_worker = 1,
                                         .limits = {}},
                                        *bench.launcher);
  CHECK(!renderer->formats());
}

}  // namespace millrace
