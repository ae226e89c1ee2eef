// A job whose request is held back until its attempt is on disk.
#include "agent/pipeline/job_run.hpp"

#include <atomic>
#include <future>
#include <utility>

#include "agent/deliver/local_outbox.hpp"
#include "agent/deliver/naming.hpp"
#include "agent/ledger/sqlite.hpp"
#include "agent/ledger/sqlite_ledger.hpp"
#include "agent/pipeline/source_actions.hpp"
#include "agent/report/log.hpp"
#include "agent/watch/local_source.hpp"
#include "agent/watch/version.hpp"
#include "platform/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

using Script = std::function<ConvertReply(const ConvertRequest&, std::stop_token)>;

// Does what the test says.
class ScriptedConverter final : public Converter {
 public:
  explicit ScriptedConverter(Script script) : script_(std::move(script)) {}
  const std::string& account() const override { return account_; }
  std::string key_for(const std::string& content, const std::string&,
                      const ConvertOptions&) const override {
    return content.substr(0, 32);
  }
  ConvertReply convert(const ConvertRequest& request, Payload&, std::stop_token stop) override {
    return script_(request, std::move(stop));
  }

 private:
  const Script script_;
  const std::string account_ = "account";
};

class Bytes final : public DigestedSource {
 public:
  explicit Bytes(std::function<void()> on_read = [] {}) : on_read_(std::move(on_read)) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    on_read_();
    if (std::exchange(read_, true)) return 0;
    into[0] = std::byte{'w'};
    return 1;
  }
  std::string take_sha256() override { return to_hex(sha256("w")); }

 private:
  const std::function<void()> on_read_;
  bool read_ = false;
};

ConvertReply reply_of(Result<Artifact> artifact, int status = 0) {
  return {std::move(artifact), std::make_shared<AnswerVerdict>(), {}, status, 0, status != 0};
}
ConvertReply result(std::function<void()> on_read = [] {}) {
  return reply_of(Artifact{"", {}, std::make_unique<Bytes>(std::move(on_read))}, 200);
}

// Waits until the request may be sent; why it may not.
std::optional<Error> held_back(const ConvertRequest& request) {
  std::promise<std::optional<Error>> may;
  request.before_sending([&](std::optional<Error> refused) { may.set_value(std::move(refused)); });
  return may.get_future().get();
}

// An outbox to which nothing can be sent, for this reason.
class ClosedOutbox final : public Outbox {
 public:
  ClosedOutbox(std::unique_ptr<Outbox> real, ErrorKind why) : real_(std::move(real)), why_(why) {}
  std::string id() const override { return real_->id(); }
  Result<std::optional<OutputIdentity>> find(const Name& name) override {
    if (name.starts_with("shut/locked/")) return fail(ErrorKind::Environment, "nobody enters");
    return real_->find(name);
  }
  Result<void> check_space(std::uint64_t bytes) override { return real_->check_space(bytes); }
  Result<void> check_place(const Name& name) override {
    if (name.starts_with("shut/")) return fail(ErrorKind::Environment, "shut takes no files");
    return real_->check_place(name);
  }
  Result<std::unique_ptr<OutputFile>> begin(const Name& final_name, JobId job) override {
    if (why_ == ErrorKind::Environment) return fail(why_, "nothing can be written");
    auto file = real_->begin(final_name, job);
    if (!file) return file;
    return std::make_unique<File>(std::move(*file), why_);
  }
  Result<std::optional<OutputIdentity>> adopt(const Name&, const Name&, const std::string&,
                                              std::uint64_t,
                                              const std::optional<OutputIdentity>&) override {
    return fail(why_, "nothing can be sent");
  }
  Result<Leftovers> remove_leftovers(const Name& name) override {
    return real_->remove_leftovers(name);
  }
  std::string describe(const Name& name) const override { return real_->describe(name); }

 private:
  class File final : public OutputFile {
   public:
    File(std::unique_ptr<OutputFile> real, ErrorKind why) : real_(std::move(real)), why_(why) {}
    const Name& temporary_name() const override { return real_->temporary_name(); }
    Result<void> write(std::span<const std::byte> bytes) override { return real_->write(bytes); }
    Result<void> finish() override { return real_->finish(); }
    Result<OutputIdentity> commit(const std::optional<OutputIdentity>&) override {
      return fail(why_, "nothing can be sent");
    }
    void keep() override { real_->keep(); }

   private:
    const std::unique_ptr<OutputFile> real_;
    const ErrorKind why_;
  };

  const std::unique_ptr<Outbox> real_;
  const ErrorKind why_;
};

// One file in an inbox, and a worker for it.
struct Machine {
  explicit Machine(
      Script script, std::optional<ErrorKind> closed = std::nullopt,
      const std::function<void(FolderSettings&)>& adjust = [](auto&) {})
      : tools{*ledger,
              dispatcher,
              kept,
              clock,
              RetryRules{},
              stop.get_token(),
              stop.get_token(),
              [] { return 0.5; },
              [](const Assignment&) {},
              [this](const Assignment&, const JobEnd& e, const SourceSummary* s) {
                end = e;
                if (s != nullptr) summary = *s;
              }} {
    [[maybe_unused]] static const auto quiet = start_log("off");
    service->settings.name = "api";
    service->converter = std::make_unique<ScriptedConverter>(std::move(script));
    dispatcher.set_service(service, {});
    FolderSettings settings;
    settings.name = "photos";
    settings.via = "api";
    settings.inbox = scratch / "in";
    settings.outbox = scratch / "out";
    settings.to = {"webp"};
    adjust(settings);
    std::filesystem::create_directory(settings.inbox);
    std::filesystem::create_directory(settings.outbox);
    auto source = make_local_source({"photos", settings.inbox, {}, {}, "shelf"}, files);
    folder = std::make_shared<Folder>(
        settings, 0, 1, std::move(source),
        [this, closed, outbox = settings.outbox]() -> Result<std::unique_ptr<Outbox>> {
          auto local = open_local_outbox(files, outbox, {"owner", {}, {}});
          if (!local || !closed) return local;
          return std::make_unique<ClosedOutbox>(std::move(*local), *closed);
        });
    dispatcher.add_folder(folder);
  }

  Job claim(const Name& name, const std::string& content = "picture") {
    write_file(scratch / "in" / name, content + ' ' + name);
    const auto info = files.open_directory(scratch / "in").value()->info(name).value();
    const Candidate candidate{"photos", name, info.size,
                              version_text(info, FileSystemNature::Local)};
    const TargetSpec webp{"webp", "api"};
    REQUIRE(ledger->admit(candidate, std::span(&webp, 1), clock.wall_now()));
    return ledger->claim("photos", Ledger::Lane::Fresh, 1, clock.wall_now()).value().at(0);
  }

  // Without a check, so that a test may call it on another thread.
  void work_at(const Job& job) {
    dispatcher.push({job});
    const auto assignment = dispatcher.next();
    JobRun(tools, *assignment, 0).run();
  }

  void run(const Job& job) {
    work_at(job);
    check_idle();
  }

  void check_idle() {
    CHECK(dispatcher.running() == 0);
    CHECK(dispatcher.gate("api")->in_flight == 0);
    REQUIRE(ledger->flush());
  }

  std::int64_t attempts(const std::string& which) const {
    auto database = sqlite::Database::open(scratch / "ledger.db", sqlite::Access::Read, 1s);
    return database->integer("SELECT count(*) FROM attempt WHERE " + which).value();
  }

  const Scratch scratch;
  FileSystem& files = real_file_system();
  const SystemClock clock;
  std::unique_ptr<Ledger> ledger =
      open_ledger({scratch / "ledger.db", clock.wall_now(), 60s}).value();
  Dispatcher dispatcher{clock, 1};
  KeptResults kept;
  std::stop_source stop;
  JobTools tools;
  const std::shared_ptr<Service> service = std::make_shared<Service>();
  std::shared_ptr<Folder> folder;
  std::optional<JobEnd> end;
  std::optional<SourceSummary> summary;  // of the last job that gave one
};

}  // namespace

TEST_CASE("a name that another source takes while the request is held back costs no request") {
  int asked = 0, sent = 0;
  std::function<void()> be_faster;
  Machine machine([&](const ConvertRequest& request, std::stop_token) {
    if (++asked == 1) be_faster();
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    ++sent;
    return result();
  });
  const Job job = machine.claim("a.png");
  const Job other = machine.claim("a.jpg");
  be_faster = [&] {
    const NameChoice wish{"a.webp", fold_name("a.webp")};
    const std::string outbox = machine.folder->outbox.get().value()->id();
    REQUIRE(machine.ledger->reserve_name(other.id, outbox, std::span(&wish, 1)));
  };
  machine.run(job);
  CHECK(asked == 2);
  CHECK(sent == 1);
  CHECK(machine.end->state == JobState::Delivered);
  CHECK(read_file(machine.scratch / "out" / "a.png.webp") == "w");
  CHECK(machine.attempts("1") == 1);
}

// The order in which two sources got their names is nowhere once the ledger is lost.
TEST_CASE("results without a record are found again, whichever source got which name [J7]") {
  const bool png_was_first = GENERATE(true, false);
  const bool png_is_first = GENERATE(true, false);
  CAPTURE(png_was_first, png_is_first);
  Machine machine([](const ConvertRequest&, std::stop_token) { return result(); });
  write_file(machine.scratch / "out" / "a.webp", "of the first");
  write_file(machine.scratch / "out" / (png_was_first ? "a.tif.webp" : "a.png.webp"), "other");
  for (const bool png : {png_is_first, !png_is_first}) {
    machine.run(machine.claim(png ? "a.png" : "a.tif"));
    CHECK(machine.end->state == JobState::Skipped);
    CHECK(machine.end->reason == "the output exists");
  }
  CHECK(machine.attempts("1") == 0);
}

TEST_CASE("a name that comes again after it was forgotten replaces its own result alone [J8]") {
  const bool still_there = GENERATE(true, false);
  CAPTURE(still_there);
  Machine machine([](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    return result();
  });
  write_file(machine.scratch / "out" / "b.webp", "of a person");
  const Job old = machine.claim("a.png");
  machine.run(old);
  REQUIRE(machine.end->state == JobState::Delivered);
  REQUIRE(
      machine.ledger->record_source_action(old.source_row, "archived", machine.clock.wall_now()));
  std::filesystem::remove(machine.scratch / "in" / "a.png");
  const Job other = machine.claim("b.png");
  machine.run(other);
  CHECK(machine.end->state == JobState::Skipped);
  REQUIRE(machine.ledger->prune(machine.clock.wall_now() + 1h, 1)->removed == 1);
  if (!still_there) std::filesystem::remove(machine.scratch / "out" / "a.webp");

  const Job again = machine.claim("a.png", "another");
  CHECK_FALSE(again.has_other_versions);
  machine.run(again);
  CAPTURE(machine.end->reason);
  REQUIRE(machine.end->state == JobState::Delivered);
  CHECK(machine.end->output->name == "a.webp");
  CHECK(read_file(machine.scratch / "out" / "a.webp") == "w");
  CHECK(read_file(machine.scratch / "out" / "b.webp") == "of a person");
}

TEST_CASE(
    "a result that was under way when the agent stopped is the next start's to deliver [I1]") {
  const auto answers = [](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    return result();
  };
  Machine machine(answers, ErrorKind::Stopped);
  machine.run(machine.claim("a.png"));
  CHECK_FALSE(machine.end);
  CHECK(machine.attempts("ended != 0 AND kind = ''") == 1);
  machine.ledger.reset();
  machine.ledger =
      open_ledger({machine.scratch / "ledger.db", machine.clock.wall_now(), 60s}).value();
  const auto cut = machine.ledger->interrupted_deliveries();
  REQUIRE(cut->size() == 1);
  CHECK(read_file(machine.scratch / "out" / cut->front().temporary_name) == "w");
  // Nor does a second stop, amid the recovery, end it.
  CHECK(adopt_delivery(*machine.folder, cut->front()).error().kind == ErrorKind::Stopped);
}

TEST_CASE("a result that the outbox refuses for good fails its job, and is asked for once [E1]") {
  const auto answers = [](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    return result();
  };
  Machine machine(answers, ErrorKind::Input);
  machine.run(machine.claim("a.png"));
  REQUIRE(machine.end);
  CHECK(machine.end->state == JobState::Failed);
  CHECK(machine.end->reason == "nothing can be sent");
  CHECK(std::filesystem::is_empty(machine.scratch / "out"));
  CHECK(machine.attempts("ended != 0 AND kind = ''") == 1);
}

TEST_CASE("an answer that could not be kept is asked for ever more rarely [F2]") {
  const auto answers = [](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    return result();
  };
  Machine machine(answers, ErrorKind::Environment);
  const Job job = machine.claim("a.png");
  machine.run(job);
  REQUIRE(machine.end->state == JobState::Waiting);
  const WallTime first = *machine.end->next_attempt;
  machine.dispatcher.unblock("photos");
  machine.run(machine.ledger->claim("photos", Ledger::Lane::Fresh, 1, first).value().at(0));
  REQUIRE(machine.end->state == JobState::Waiting);
  CHECK(*machine.end->next_attempt - first >= 5s);
}

TEST_CASE("something in the way of a result's folder fails its file, before it is paid for [F6]") {
  const bool comes_late = GENERATE(false, true);
  CAPTURE(comes_late);
  std::function<void()> put_in_the_way;
  Machine machine([&](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    put_in_the_way();
    return result();
  });
  put_in_the_way = [&] { write_file(machine.scratch / "out" / "sub", "a file"); };
  if (!comes_late) put_in_the_way();
  std::filesystem::create_directory(machine.scratch / "in" / "sub");
  machine.run(machine.claim("sub/a.png"));
  CHECK(machine.end->state == JobState::Failed);
  CHECK(machine.end->reason.starts_with("the folder of the result cannot be made in the outbox"));
  CHECK(machine.dispatcher.folders().at(0).blocked_reason.empty());
  CHECK(machine.attempts("1") == (comes_late ? 1 : 0));
}

TEST_CASE("a folder of the outbox that takes no files holds up its own files alone, unpaid [F2]") {
  Machine machine(
      [](const ConvertRequest& request, std::stop_token) {
        if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
        return result();
      },
      ErrorKind::Environment);
  const bool is_entered = GENERATE(true, false);
  std::filesystem::create_directories(machine.scratch / "in" / "shut/locked");
  machine.run(machine.claim(is_entered ? "shut/a.png" : "shut/locked/a.png"));
  CHECK(machine.end->state == JobState::Waiting);
  CHECK(machine.end->reason == (is_entered ? "shut takes no files" : "nobody enters"));
  CHECK(machine.end->next_attempt);
  CHECK(machine.dispatcher.folders().at(0).blocked_reason.empty());
  CHECK(machine.attempts("1") == 0);
}

TEST_CASE("what a stop or a gateway left open is held once the converter has forgotten it [E10]") {
  const bool gateway = GENERATE(false, true);
  CAPTURE(gateway);
  Machine machine([&](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    const ErrorKind kind = gateway ? ErrorKind::Transient : ErrorKind::Stopped;
    ConvertReply reply = reply_of(fail(kind, "no answer"), gateway ? 504 : 0);
    reply.whole_request_sent = true;
    return reply;
  });
  machine.service->settings.idempotency_window = Duration{0};
  machine.service->settings.after_window = AfterWindow::Hold;
  machine.run(machine.claim("a.png"));
  REQUIRE(machine.end->state == JobState::Waiting);
  CHECK(machine.attempts("billing = 2") == 1);
  const WallTime later = machine.clock.wall_now() + 1h;
  machine.run(machine.ledger->claim("photos", Ledger::Lane::Fresh, 1, later).value().at(0));
  CHECK(machine.end->state == JobState::Failed);
  CHECK(machine.end->reason.find("after_window") != std::string::npos);
  CHECK(machine.attempts("1") == 1);
}

TEST_CASE("a source is deleted only if its own result is there [F6]") {
  const bool taken = GENERATE(true, false);
  CAPTURE(taken);
  const auto answers = [](const ConvertRequest& request, std::stop_token) {
    if (auto refused = held_back(request)) return reply_of(std::unexpected(*refused));
    return result();
  };
  Machine machine(answers, std::nullopt,
                  [](FolderSettings& settings) { settings.after = AfterSuccess::Delete; });
  if (taken) write_file(machine.scratch / "out" / "a.webp", "of a person");
  machine.run(machine.claim("a.png"));
  CHECK(machine.end->state == (taken ? JobState::Skipped : JobState::Delivered));
  REQUIRE(machine.summary);
  CHECK(source_action(*machine.folder, *machine.summary) == (taken ? "kept" : "deleted"));
  CHECK(std::filesystem::exists(machine.scratch / "in" / "a.png") == taken);
}

TEST_CASE("a job that fails before there is a request has no attempt, and waits with the reason") {
  Machine machine([](const ConvertRequest&, std::stop_token) {
    return reply_of(fail(ErrorKind::Configuration, "the key is gone"));
  });
  machine.run(machine.claim("a.png"));
  CHECK(machine.end->state == JobState::Waiting);
  CHECK(machine.end->reason == "the key is gone");
  CHECK_FALSE(machine.end->counts);
  CHECK(machine.dispatcher.gate("api")->state == GateState::Stopped);
  CHECK(machine.attempts("1") == 0);
  const auto waiting = open_ledger_reader(machine.scratch / "ledger.db").value()->waiting(9);
  REQUIRE(waiting->size() == 1);
  CHECK(waiting->front().reason == "the key is gone");
  CHECK(waiting->front().attempts == 0);
}

TEST_CASE("an attempt is ended although the agent stopped before it was on disk [I1]") {
  std::promise<void> asked;
  std::atomic<bool> allowed{false};
  Machine machine([&](const ConvertRequest& request, std::stop_token stop) {
    request.before_sending([&](const std::optional<Error>& refused) { allowed = !refused; });
    asked.set_value();
    std::promise<void> stopped;
    const std::stop_callback on_stop(std::move(stop), [&] { stopped.set_value(); });
    stopped.get_future().wait();
    return reply_of(fail(ErrorKind::Stopped, "stopped"));
  });
  const Job job = machine.claim("a.png");
  auto other =
      sqlite::Database::open(machine.scratch / "ledger.db", sqlite::Access::Write, 1s).value();
  REQUIRE(machine.ledger->flush());
  REQUIRE(other.exec("BEGIN IMMEDIATE"));
  auto worker = std::async(std::launch::async, [&] { machine.work_at(job); });
  asked.get_future().wait();
  machine.stop.request_stop();
  CHECK(worker.wait_for(100ms) == std::future_status::timeout);
  CHECK_FALSE(allowed);
  REQUIRE(other.exec("ROLLBACK"));
  worker.get();
  machine.check_idle();
  CHECK(allowed);
  CHECK(machine.end->state == JobState::Waiting);
  CHECK(machine.attempts("ended != 0 AND kind = 'stopped'") == 1);
}

TEST_CASE("the ledger has let go of a request when its job goes on") {
  std::promise<void> read;
  std::atomic<bool> let_go{false};
  bool was_let_go = false;
  Machine machine([&](const ConvertRequest& request, std::stop_token) {
    request.before_sending([&](const std::optional<Error>&) {
      // Time for the job to go on, if it does.
      read.get_future().wait_for(200ms);
      let_go = true;
    });
    return result([&, first = true]() mutable {
      if (!std::exchange(first, false)) return;
      was_let_go = let_go;
      read.set_value();
    });
  });
  machine.run(machine.claim("a.png"));
  CHECK(machine.end->state == JobState::Delivered);
  CHECK(was_let_go);
}
