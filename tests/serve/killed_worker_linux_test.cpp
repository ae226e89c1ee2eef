// A worker that somebody kills between two jobs.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "agent/serve/process_renderer.hpp"
#include "tests/serve/fake_renderer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {

TEST_CASE("a worker that is killed while it is idle costs no job") {
  const test::Scratch scratch;
  auto launcher = std::move(make_launcher().value());
  auto renderer = make_process_renderer({.program = test::fake_worker(),
                                         .scratch = scratch.path(),
                                         .arguments = {},
                                         .jobs_per_worker = 100,
                                         .limits = {}},
                                        *launcher);
  const auto job = [&](const std::string& bytes) {
    test::write_file(scratch / ("in-" + bytes), bytes);
    return RenderJob{scratch / ("in-" + bytes), scratch / ("out-" + bytes), "", "up", {}, {}};
  };
  const RenderJob who = job("who");
  REQUIRE(renderer->render(who));
  const std::string told = test::read_file(who.output);
  const pid_t worker = std::stoi(told.substr(told.find_first_of("0123456789")));
  // As another child has it that is just being started: the line could still be written.
  const int held = open(("/proc/" + std::to_string(worker) + "/fd/0").c_str(), O_RDONLY);
  REQUIRE(held >= 0);
  kill(worker, SIGKILL);
  siginfo_t ended{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(worker), &ended, WEXITED | WNOWAIT) == 0);
  const auto next = renderer->render(job("hello"));
  close(held);
  REQUIRE(next);
  INFO(next->message);
  CHECK(next->code == RenderCode::Ok);
}

}  // namespace millrace
