#include "agent/pipeline/dispatcher.hpp"

#include <thread>

#include "agent/pipeline/kept_results.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace std::chrono_literals;

namespace millrace {
namespace {

// A converter that is never asked: the dispatcher needs its account only.
class NamedConverter final : public Converter {
 public:
  explicit NamedConverter(std::string account) : account_(std::move(account)) {}
  const std::string& account() const override { return account_; }
  std::string key_for(const std::string&, const std::string&,
                      const ConvertOptions&) const override {
    return {};
  }
  ConvertReply convert(const ConvertRequest&, Payload&, std::stop_token) override {
    return {fail(ErrorKind::Defect, "never asked"), {}, {}, 0, 0, false};
  }

 private:
  std::string account_;
};

std::shared_ptr<Folder> folder(const std::string& name, std::size_t root = 0) {
  FolderSettings settings;
  settings.name = name;
  settings.via = "api";
  return std::make_shared<Folder>(settings, root, 4, real_file_system(), "test", nullptr);
}

std::shared_ptr<Service> service(const std::string& name, const std::string& account) {
  auto made = std::make_shared<Service>();
  made->settings.name = name;
  made->converter = std::make_unique<NamedConverter>(account);
  return made;
}

GateRules rules(int concurrency) {
  GateRules made;
  made.concurrency = concurrency;
  return made;
}

std::vector<Job> jobs(const std::string& in, int from, int count) {
  std::vector<Job> made;
  for (int i = from; i < from + count; ++i) {
    Job job;
    job.id = i;
    job.candidate.folder = in;
    job.target = "webp";
    job.converter = "api";
    made.push_back(std::move(job));
  }
  return made;
}

struct Setup {
  explicit Setup(int concurrency = 100) : dispatcher(clock, 4) {
    dispatcher.set_service(service("api", "account"), rules(concurrency));
    dispatcher.add_folder(folder("a"));
  }
  // Whether a worker that asks now waits; the dispatcher is stopped then.
  bool lets_a_worker_wait() {
    std::optional<Assignment> got;
    std::jthread worker([&] { got = dispatcher.next(); });
    test::eventually([&] { return dispatcher.queued() < queued; }, 100ms);
    dispatcher.stop();
    worker.join();
    return !got;
  }
  void set_budget(int conversions) {
    GateRules made = rules(100);
    made.monthly_budget = conversions;
    dispatcher.set_service(service("api", "account"), made);
  }
  ManualClock clock;
  Dispatcher dispatcher;
  std::size_t queued = 0;
};

}  // namespace

TEST_CASE("the concurrency of an account bounds what is handed out") {
  Setup setup(2);
  setup.dispatcher.push(jobs("a", 1, 3));
  const auto first = setup.dispatcher.next();
  const auto second = setup.dispatcher.next();
  REQUIRE(first);
  REQUIRE(second);
  setup.queued = setup.dispatcher.queued();
  CHECK(setup.lets_a_worker_wait());
}

TEST_CASE("where auto begins: four requests, of this machine's own converter one a core") {
  ConverterSettings settings;
  CHECK(gate_rules_of(settings, std::nullopt).start_concurrency == 4);
  settings.embedded = true;
  CHECK(gate_rules_of(settings, std::nullopt).start_concurrency ==
        static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  CHECK(gate_rules_of(settings, 20).start_concurrency == 20);
}

TEST_CASE("with several folders one folder gets half the workers at most [C2]") {
  Setup setup;
  setup.dispatcher.add_folder(folder("b", 1));
  setup.dispatcher.push(jobs("a", 1, 10));
  REQUIRE(setup.dispatcher.next());
  REQUIRE(setup.dispatcher.next());
  setup.dispatcher.push(jobs("b", 100, 1));
  const auto third = setup.dispatcher.next();
  REQUIRE(third);
  CHECK(third->job.candidate.folder == "b");
  setup.queued = setup.dispatcher.queued();
  CHECK(setup.lets_a_worker_wait());  // two of four workers are in folder a
}

TEST_CASE("a folder whose file call does not return gets no further worker [C2]") {
  Setup setup;
  const auto hung = folder("hung", 1);
  setup.dispatcher.add_folder(hung);
  setup.dispatcher.push(jobs("hung", 1, 2));
  std::atomic<bool> release = false;
  std::jthread stuck([&] {
    hung->outbox_io.timed(0, [&] {
      while (!release) std::this_thread::yield();
    });
  });
  REQUIRE(test::eventually([&] { return hung->outbox_io.oldest(setup.clock.now()).has_value(); }));
  // The meter runs on the steady clock; the dispatcher's clock is turned past it.
  while (hung->outbox_io.oldest(setup.clock.now()).value_or(0s) < kStalledAfter) {
    setup.clock.advance(1h);
  }
  setup.queued = setup.dispatcher.queued();
  CHECK(setup.lets_a_worker_wait());
  release = true;
}

TEST_CASE("jobs with one key run one at a time, and none is lost") {
  Setup setup;
  setup.dispatcher.push(jobs("a", 1, 2));
  const auto first = setup.dispatcher.next();
  const auto second = setup.dispatcher.next();
  REQUIRE(setup.dispatcher.take_key("k", *first));
  REQUIRE_FALSE(setup.dispatcher.take_key("k", *second));
  setup.dispatcher.no_request(*second);
  setup.dispatcher.done(*second);
  CHECK(setup.dispatcher.queued() == 0);
  setup.dispatcher.give_key_back("k");
  const auto again = setup.dispatcher.next();
  REQUIRE(again);
  CHECK(again->job.id == second->job.id);
}

TEST_CASE("a blocked folder waits longer each time and opens by itself or when it works [F1]") {
  Setup setup;
  setup.dispatcher.push(jobs("a", 1, 3));
  setup.queued = 3;
  setup.dispatcher.block("a", "outbox: disk full");
  auto view = setup.dispatcher.folders().at(0);
  CHECK(view.blocked_reason == "outbox: disk full");
  CHECK(view.blocked_for == Duration{1s});
  setup.clock.advance(1s);
  setup.dispatcher.block("a", "outbox: disk full");
  CHECK(setup.dispatcher.folders().at(0).blocked_for == Duration{2s});
  setup.dispatcher.unblock("a");
  CHECK(setup.dispatcher.folders().at(0).blocked_reason.empty());
  CHECK(setup.dispatcher.next());
}

TEST_CASE("a folder whose files are all refused is paused, and says why, until a person resumes") {
  Setup setup;
  setup.dispatcher.pause_after_refusals(2);
  setup.dispatcher.push(jobs("a", 1, 5));
  const Error refused{ErrorKind::Input, "no picture", 0, {}};
  const auto end_one = [&](const Error* error) {
    const auto assignment = setup.dispatcher.next();
    setup.dispatcher.request_ended(*assignment, error, {}, 1ms, false);
    setup.dispatcher.done(*assignment);
  };
  end_one(&refused);
  end_one(nullptr);  // one success: the count begins anew
  end_one(&refused);
  CHECK_FALSE(setup.dispatcher.folders().at(0).paused);
  end_one(&refused);
  auto view = setup.dispatcher.folders().at(0);
  CHECK(view.paused);
  CHECK(view.pause_reason.find("refused 2 files in a row, the last because: no picture") !=
        std::string::npos);
  CHECK_FALSE(setup.dispatcher.resume("a").empty());
  view = setup.dispatcher.folders().at(0);
  CHECK_FALSE(view.paused);
  CHECK(view.pause_reason.empty());
  CHECK(setup.dispatcher.next());
}

TEST_CASE("a pause by hand outlives folders and converters that come again [I3]") {
  Setup setup;
  REQUIRE_FALSE(setup.dispatcher.pause("a").empty());
  REQUIRE_FALSE(setup.dispatcher.pause("api").empty());
  setup.dispatcher.remove_folder("a");
  setup.dispatcher.add_folder(folder("a", 1));
  setup.dispatcher.set_service(service("api", "another account"), rules(100));
  setup.dispatcher.renew_converter("api");
  CHECK(setup.dispatcher.folders().at(0).paused);
  CHECK(setup.dispatcher.gate("api")->state == GateState::Paused);
  REQUIRE_FALSE(setup.dispatcher.resume("a").empty());
  REQUIRE_FALSE(setup.dispatcher.resume("api").empty());
  setup.dispatcher.set_service(service("api", "a third"), rules(100));
  setup.dispatcher.push(jobs("a", 1, 1));
  CHECK(setup.dispatcher.next());
}

TEST_CASE("converters of one account are paused and go on together, also after a reload [I3]") {
  using Names = std::set<std::string>;
  Setup setup;
  setup.dispatcher.set_service(service("other name", "account"), rules(100));
  setup.dispatcher.set_service(service("api", "account"), rules(100));
  CHECK(setup.dispatcher.pause("api") == Names{"api", "other name"});
  CHECK(setup.dispatcher.resume("other name") == Names{"api", "other name"});
  setup.dispatcher.set_service(service("api", "account"), rules(100));
  CHECK(setup.dispatcher.gate("api")->state == GateState::Open);
  CHECK(setup.dispatcher.pause("nobody").empty());
}

TEST_CASE("a folder that is gone gives its jobs back, and its running ones end well [I3]") {
  Setup setup;
  setup.dispatcher.push(jobs("a", 1, 3));
  const auto running = setup.dispatcher.next();
  CHECK(setup.dispatcher.remove_folder("a").size() == 2);
  setup.dispatcher.add_folder(folder("a", 7));
  setup.dispatcher.no_request(*running);
  setup.dispatcher.done(*running);
  CHECK(setup.dispatcher.running() == 0);
}

TEST_CASE("two converters of one account share its gate") {
  Setup setup(1);
  setup.dispatcher.set_service(service("other", "account"), rules(1));
  auto more = jobs("a", 1, 2);
  more[1].converter = "other";
  setup.dispatcher.push(std::move(more));
  REQUIRE(setup.dispatcher.next());
  setup.queued = setup.dispatcher.queued();
  CHECK(setup.lets_a_worker_wait());
}

TEST_CASE("a budget counts a request once, also when it is counted anew under way [E3]") {
  Setup setup;
  const WallTime month = setup.clock.wall_now();
  setup.set_budget(10);
  setup.dispatcher.set_spent_since(month, "api", 7);
  setup.dispatcher.push(jobs("a", 1, 5));
  REQUIRE(setup.dispatcher.next());
  REQUIRE(setup.dispatcher.next());
  // The ledger has rows of these two by now.
  setup.dispatcher.set_spent_since(month, "api", 9);
  const auto third = setup.dispatcher.next();
  REQUIRE(third);
  setup.dispatcher.request_ended(*third, nullptr, {}, 1ms, true);
  CHECK(setup.dispatcher.gate("api")->budget_left == 2);
  setup.queued = setup.dispatcher.queued();
  CHECK(setup.lets_a_worker_wait());  // two are under way
}

TEST_CASE("a converter that joins an account counts nobody's requests twice [E3]") {
  Setup setup;
  const WallTime month = setup.clock.wall_now();
  setup.set_budget(10);
  setup.dispatcher.set_spent_since(month, "api", 3);
  setup.dispatcher.push(jobs("a", 1, 2));
  const auto first = setup.dispatcher.next();
  const auto second = setup.dispatcher.next();
  REQUIRE(second);
  GateRules rules_of_both = rules(100);
  rules_of_both.monthly_budget = 10;
  setup.dispatcher.set_service(service("other", "account"), rules_of_both);
  // The ledger has rows of the two under way by now, and one of an earlier time of the other.
  setup.dispatcher.set_spent_since(month, "api", 5);
  setup.dispatcher.set_spent_since(month, "other", 1);
  for (const auto& one : {first, second})
    setup.dispatcher.request_ended(*one, nullptr, {}, 1ms, true);
  CHECK(setup.dispatcher.gate("api")->budget_left == 10 - 3 - 1 - 2);
}

TEST_CASE("a new month and a raised budget wake who waits [E3]") {
  Setup setup;
  const WallTime month = setup.clock.wall_now();
  setup.set_budget(10);
  setup.dispatcher.set_spent_since(month, "api", 10);
  setup.dispatcher.push(jobs("a", 1, 1));
  std::atomic<bool> came = false;
  std::jthread worker([&] { came = setup.dispatcher.next().has_value(); });
  SECTION("a month") { setup.dispatcher.set_spent_since(month + 24h * 31, "api", 0); }
  SECTION("more") { setup.set_budget(11); }
  CHECK(test::eventually([&] { return came.load(); }));
  setup.dispatcher.stop();
}

TEST_CASE("a kept result is handed out once") {
  KeptResults kept;
  KeptResult result;
  result.temporary_name = "t";
  kept.keep(5, result);
  CHECK(kept.take(5)->temporary_name == "t");
  CHECK_FALSE(kept.take(5));
}

}  // namespace millrace
