#include "agent/pipeline/job_run.hpp"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <utility>

#include "agent/deliver/fill.hpp"
#include "agent/pipeline/metered.hpp"
#include "agent/report/log.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// A file that cannot be opened now (permission, a lock, a share that is away) is tried again after
// this long; it costs no attempt and holds up nobody else.
constexpr Duration kUnreadableDelay = std::chrono::seconds{30};
constexpr Duration kFirstRecordDelay = std::chrono::milliseconds{500};
constexpr Duration kLongestRecordDelay = std::chrono::seconds{10};
constexpr Duration kFirstOutboxWait = std::chrono::seconds{5};
constexpr Duration kLongestOutboxWait = std::chrono::minutes{15};
constexpr std::size_t kLongestReason = 500;

// A result is often larger than its source (an image unpacked to TIFF); room for twice its size is
// asked for before anything is paid.
constexpr std::uint64_t kSpaceFactor = 2;

// By its extension; jpeg and jpg are one, tiff and tif as well.
bool is_format(const Name& name, const std::string& format) {
  const auto canonical = [](std::string text) {
    if (text == "jpeg") return std::string("jpg");
    if (text == "tif") return std::string("tiff");
    return text;
  };
  const std::size_t dot = name.rfind('.');
  return dot != Name::npos && canonical(to_lower_ascii(name.substr(dot + 1))) == canonical(format);
}

// The converter was asked, and its answer could not be kept: each time that costs the transfer of
// the whole file, so that the next times are ever further apart. `attempt` counts from 1.
Duration wait_for_outbox(int attempt) {
  return std::min<Duration>(kFirstOutboxWait * (1 << std::min(attempt - 1, 12)),
                            kLongestOutboxWait);
}

// An outbox that says so is not asked again by this run.
bool is_for_good(const Error& error) {
  return error.kind == ErrorKind::Stopped || error.kind == ErrorKind::Input;
}

// A gateway that gave up waiting: what is behind it may go on, and bill. RFC 9110 15.6.3 and
// 15.6.5, and the codes of a large content network.
bool is_of_gateway(int status) {
  return status == 502 || status == 504 || (status >= 520 && status <= 524);
}

Billing billing_of(const ConvertReply& reply) {
  if (reply.http_status >= 200 && reply.http_status < 300) return Billing::Yes;
  const bool no_answer = reply.http_status == 0 || is_of_gateway(reply.http_status);
  return no_answer && reply.whole_request_sent ? Billing::Unknown : Billing::No;
}

}  // namespace

JobRun::JobRun(JobTools& tools, const Assignment& assignment, std::size_t worker)
    : tools_(tools),
      assignment_(assignment),
      job_(assignment.job),
      folder_(*assignment.folder),
      service_(*assignment.service),
      worker_(worker) {}

void JobRun::run() {
  const Step ended = all_steps();
  reader_.reset();
  payload_.reset();
  // A result that could not be published counts as a success of the converter.
  const bool delivering = outbox_failed_ || delivery_refused_;
  const Error* error = ended || delivering ? nullptr : &ended.error();
  if (reply_) {
    end_attempt(error);
  } else {
    tools_.dispatcher.no_request(assignment_);
  }
  if (key_taken_) tools_.dispatcher.give_key_back(key_);
  if (!parked_ && !cut_off_) finish(ended ? ended->value() : after_error(ended.error()));
  if (!source_key_.empty()) tools_.dispatcher.give_key_back(source_key_);
  tools_.dispatcher.done(assignment_);
}

// Every step but the last may end the job early; the last one always does.
JobRun::Step JobRun::all_steps() {
  for (const auto step : {&JobRun::take_source, &JobRun::open_outbox, &JobRun::publish_kept_result,
                          &JobRun::open_source, &JobRun::look_for_output, &JobRun::read_and_hash,
                          &JobRun::settle_for_what_is_there, &JobRun::make_key}) {
    Step ended = (this->*step)();
    if (!ended || *ended || parked_) return ended;
  }
  return convert();
}

// Versions of one source run one at a time: a newer one would find the older one's output in place
// before it is recorded, and take it for somebody else's.
JobRun::Step JobRun::take_source() {
  std::string key = job_.candidate.folder + '\0' + job_.candidate.name + '\0' + job_.target;
  parked_ = !tools_.dispatcher.take_key(key, assignment_);
  if (!parked_) source_key_ = std::move(key);
  return std::nullopt;
}

JobRun::Step JobRun::open_outbox() {
  outbox_failed_ = true;
  auto outbox = folder_.outbox_io.timed(worker_, [&] { return folder_.outbox.get(); });
  if (!outbox) return std::unexpected(outbox.error());
  outbox_ = std::move(*outbox);
  outbox_failed_ = false;
  return std::nullopt;
}

JobRun::Step JobRun::publish_kept_result() {
  auto kept = tools_.kept.take(job_.id);
  if (!kept || kept->output.outbox != outbox_->id()) return std::nullopt;
  auto begun = tools_.ledger.begin_delivery(job_.id, kept->output, kept->temporary_name,
                                            tools_.clock.wall_now());
  if (!begun) {
    tools_.kept.keep(job_.id, std::move(*kept));
    return std::unexpected(begun.error());
  }
  auto identity = folder_.outbox_io.timed(worker_, [&] {
    return outbox_->adopt(kept->temporary_name, kept->output.name, kept->output.sha256,
                          kept->output.size, kept->replaces);
  });
  if (!identity && identity.error().kind == ErrorKind::Environment) {
    outbox_failed_ = true;
    tools_.kept.keep(job_.id, std::move(*kept));
    return std::unexpected(identity.error());
  }
  if (!identity && is_for_good(identity.error())) return end_delivery(identity.error());
  if (identity && *identity) return delivered(std::move(kept->output), **identity);
  // It is gone, or its name is taken: asked for again, with the same key.
  JobEnd end;
  end.state = JobState::Waiting;
  end.reason = "the kept result is gone";
  return end;
}

JobRun::Step JobRun::open_source() {
  auto opened =
      folder_.inbox_io.timed(worker_, [&] { return folder_.source->open(job_.candidate); });
  if (!opened) return std::unexpected(opened.error());
  reader_ = std::make_unique<MeteredReader>(std::move(*opened), folder_.inbox_io, worker_);
  if (folder_.settings.skip_same_format && is_format(job_.candidate.name, job_.target)) {
    return skipped("already in the target format");
  }
  if (reader_->size() == 0) return fail(ErrorKind::Input, "the file is empty");
  if (reader_->size() > service_.settings.max_size) {
    return fail(ErrorKind::Input, "larger than max_size of converter " + service_.settings.name +
                                      " (" + std::to_string(reader_->size()) + " bytes of " +
                                      std::to_string(service_.settings.max_size) + ")");
  }
  return std::nullopt;
}

JobRun::Step JobRun::read_and_hash() {
  auto payload = service_.settings.upload == Upload::Url
                     ? Payload::linked(std::move(reader_))
                     : Payload::read(std::move(reader_), tools_.stop);
  if (!payload) return std::unexpected(payload.error());
  payload_ = std::move(*payload);
  return std::nullopt;
}

// A new version with the same bytes (touched, copied over itself) needs no new result.
JobRun::Step JobRun::settle_for_what_is_there() {
  if (replaces_ && ours_before_->content_sha256 == payload_->sha256()) {
    JobEnd end = skipped("same content as before");
    end.output = ours_before_;
    end.output->job = job_.id;
    end.output->source_version = job_.candidate.version;
    return end;
  }
  auto space = folder_.outbox_io.timed(
      worker_, [&] { return outbox_->check_space(payload_->size() * kSpaceFactor); });
  if (!space) {
    outbox_failed_ = true;
    return std::unexpected(space.error());
  }
  auto place = folder_.outbox_io.timed(worker_, [&] { return outbox_->check_place(output_name_); });
  if (!place) return no_place(place.error());
  return std::nullopt;
}

// Trouble of a folder in the outbox holds up nobody but the files whose results go there. What lies
// where it must be made does not go away by asking again.
JobRun::Step JobRun::no_place(const Error& error) {
  outbox_failed_ = false;
  if (error.kind != ErrorKind::Exists) return std::unexpected(error);
  return fail(ErrorKind::Input,
              "the folder of the result cannot be made in the outbox: " + error.message);
}

JobRun::Step JobRun::make_key() {
  key_ = service_.converter->key_for(payload_->sha256(), job_.target, folder_.settings.options);
  key_taken_ = tools_.dispatcher.take_key(key_, assignment_);
  parked_ = !key_taken_;
  return std::nullopt;
}

Result<AttemptStart> JobRun::plan_attempt() const {
  AttemptStart start{job_.id, key_,        payload_->sha256(), payload_->size(),
                     false,   to_reserve_, outbox_->id()};
  const bool unknown = job_.open_key == key_ && job_.open_key_since;
  if (!unknown) return start;
  const auto age = tools_.clock.wall_now() - *job_.open_key_since;
  if (age < service_.settings.idempotency_window) return start;
  // A person's retry forgets that it was tried, and overrides the hold.
  if (service_.settings.after_window == AfterWindow::Hold && job_.first_tried) {
    return fail(ErrorKind::Input,
                "a request of this file was sent, its outcome is unknown, and the converter has "
                "forgotten it by now (after_window = \"hold\"); `millrace retry` sends it again");
  }
  start.possible_extra_bill = true;
  return start;
}

// The request goes out as soon as its attempt is on disk, without waking this worker in between.
JobRun::Step JobRun::convert() {
  const auto start = plan_attempt();
  if (!start) return std::unexpected(start.error());
  std::future<Result<int>> begun;
  const auto record_attempt = [&](auto go) {
    const auto promise = std::make_shared<std::promise<Result<int>>>();
    begun = promise->get_future();
    tools_.ledger.begin_attempt(*start, tools_.clock.wall_now(),
                                [promise, go = std::move(go)](const Result<int>& attempt) {
                                  go(attempt ? std::nullopt : std::optional(attempt.error()));
                                  promise->set_value(attempt);  // last: the worker may be gone then
                                });
  };
  const ConvertRequest request{job_.candidate.name, job_.target,    folder_.settings.options, key_,
                               tools_.stop,         record_attempt, folder_.settings.outbox};
  reply_ = service_.converter->convert(request, *payload_, tools_.stop_now);
  if (begun.valid()) {
    const auto attempt = begun.get();
    if (!attempt) return not_begun(attempt.error());
    attempt_ = *attempt;
  }
  if (!reply_->artifact) return std::unexpected(reply_->artifact.error());
  return deliver(std::move(*reply_->artifact));
}

// Nothing was sent. Somebody may have been faster with the name.
JobRun::Step JobRun::not_begun(const Error& error) {
  reply_.reset();
  if (!to_reserve_ || error.kind != ErrorKind::Exists) return std::unexpected(error);
  to_reserve_.reset();
  for (const auto step :
       {&JobRun::choose_name, &JobRun::look_at_what_is_there, &JobRun::settle_for_what_is_there}) {
    if (Step ended = (this->*step)(); !ended || *ended) return ended;
  }
  return convert();
}

JobRun::Step JobRun::deliver(Artifact artifact) {
  outbox_failed_ = true;
  auto begun =
      folder_.outbox_io.timed(worker_, [&] { return outbox_->begin(output_name_, job_.id); });
  if (!begun && begun.error().kind == ErrorKind::Exists) return no_place(begun.error());
  if (!begun) {
    outbox_failed_ = begun.error().kind != ErrorKind::Input;
    return std::unexpected(begun.error());
  }
  MeteredFile file(**begun, folder_.outbox_io, worker_);
  auto written = fill(file, *artifact.body, artifact.length);
  if (!written) {
    outbox_failed_ = written.error().kind == ErrorKind::Environment;
    return std::unexpected(written.error());
  }
  attempt_end_.bytes_received = written->size;
  if (auto synced = file.finish(); !synced) return std::unexpected(synced.error());
  const OutputRecord record{job_.id,
                            outbox_->id(),
                            output_name_,
                            written->size,
                            {},
                            std::move(written->sha256),
                            job_.candidate.version,
                            payload_->sha256()};
  return publish(file, record);
}

// The result is whole and synced under its temporary name.
JobRun::Step JobRun::publish(OutputFile& file, const OutputRecord& record) {
  auto begun =
      tools_.ledger.begin_delivery(job_.id, record, file.temporary_name(), tools_.clock.wall_now());
  if (!begun) {
    outbox_failed_ = false;
    return std::unexpected(begun.error());
  }
  auto identity = file.commit(replaces_);
  if (!identity && identity.error().kind == ErrorKind::Exists) {
    outbox_failed_ = false;
    return fail(ErrorKind::Busy, "somebody put a file of that name into the outbox meanwhile");
  }
  if (!identity && is_for_good(identity.error())) {
    if (identity.error().kind == ErrorKind::Stopped) file.keep();
    return end_delivery(identity.error());
  }
  if (!identity) {
    file.keep();  // paid for
    tools_.kept.keep(job_.id, {record, file.temporary_name(), replaces_});
    return std::unexpected(identity.error());
  }
  outbox_failed_ = false;
  return delivered(record, *identity);
}

// Stopped: what was under way to the store may arrive or not. The row stays as it is, and the next
// start finds out and goes on. Input: the store never takes it.
JobRun::Step JobRun::end_delivery(const Error& error) {
  outbox_failed_ = false;
  delivery_refused_ = true;
  cut_off_ = error.kind == ErrorKind::Stopped;
  return std::unexpected(error);
}

JobEnd JobRun::delivered(OutputRecord record, const OutputIdentity& identity) {
  tools_.dispatcher.unblock(job_.candidate.folder);
  record.version = identity.version;
  JobEnd end;
  end.state = JobState::Delivered;
  end.output = std::move(record);
  return end;
}

void JobRun::end_attempt(const Error* error) {
  const Duration latency = tools_.clock.now() - assignment_.handed_out;
  attempt_end_.http_status = reply_->http_status;
  attempt_end_.bytes_sent = reply_->bytes_sent;
  attempt_end_.billing = billing_of(*reply_);
  attempt_end_.bad_sha256 = reply_->verdict->bad_sha256;
  if (error != nullptr) {
    attempt_end_.kind = error->kind;
    attempt_end_.reason = printable(error->message, kLongestReason);
  }
  tools_.dispatcher.request_ended(assignment_, error, reply_->news, latency,
                                  attempt_end_.billing != Billing::No);
  if (attempt_ == 0) return;  // it failed before there was a request
  const auto ended =
      tools_.ledger.end_attempt(job_.id, attempt_, attempt_end_, tools_.clock.wall_now());
  if (!ended) log_error(Level::Error, "cannot record the end of an attempt", ended.error());
}

JobEnd JobRun::skipped(std::string reason) const {
  JobEnd end;
  end.state = JobState::Skipped;
  end.reason = std::move(reason);
  return end;
}

JobEnd JobRun::after_error(const Error& error) {
  Error cause = error;
  if (outbox_failed_) {
    cause.kind = ErrorKind::Environment;
    folder_.outbox.drop();
    tools_.dispatcher.block(job_.candidate.folder, "outbox: " + cause.message);
  }
  // The same unbelievable bytes twice under one key: asking again would change nothing.
  const bool same_nonsense =
      !attempt_end_.bad_sha256.empty() && attempt_end_.bad_sha256 == job_.last_bad_sha256;
  if (same_nonsense) cause.kind = ErrorKind::Converter;

  const WallTime now = tools_.clock.wall_now();
  const Duration age = job_.first_tried ? now - *job_.first_tried : Duration{0};
  const Decision decision = decide(tools_.retry, cause, job_.attempts + 1, age, tools_.random);
  JobEnd end;
  end.kind = cause.kind;
  end.reason = printable(cause.message, kLongestReason);
  switch (decision.step) {
    case NextStep::Fail:
      end.state = JobState::Failed;
      break;
    case NextStep::Cancel:
    case NextStep::SettleAnew:
      end.state = JobState::Cancelled;
      break;
    case NextStep::Wait:
    case NextStep::Retry:
      end.state = JobState::Waiting;
      end.counts = decision.step == NextStep::Retry;
      end.deferred = decision.deferred;
      end.result_kept = tools_.kept.holds(job_.id);
      if (decision.delay > Duration{0})
        end.next_attempt = now + std::chrono::duration_cast<WallTime::duration>(decision.delay);
      break;
  }
  if (cause.kind == ErrorKind::Environment && !outbox_failed_) {
    end.next_attempt = now + std::chrono::duration_cast<WallTime::duration>(kUnreadableDelay);
  }
  if (outbox_failed_ && attempt_ > 0) {
    const Duration wait = wait_for_outbox(attempt_);
    end.next_attempt = now + std::chrono::duration_cast<WallTime::duration>(wait);
  }
  return end;
}

// While the ledger cannot be written (disk full, locked) nothing may be sent, so that a worker that
// waits for it is not missed. What is still not recorded when the agent stops is taken up by the
// next start.
Result<SourceSummary> JobRun::record(const JobEnd& end) {
  bool blocked = false;
  for (Duration wait = kFirstRecordDelay;; wait = std::min(2 * wait, kLongestRecordDelay)) {
    auto summary = tools_.ledger.finish(job_.id, attempt_, end, tools_.clock.wall_now());
    if (summary || summary.error().kind != ErrorKind::Environment) {
      // What the outbox lacks, only a delivery proves to be over.
      if (blocked && !outbox_failed_) tools_.dispatcher.unblock(job_.candidate.folder);
      return summary;
    }
    blocked = true;
    tools_.dispatcher.block(job_.candidate.folder, summary.error().message);
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(lock, tools_.stop, wait, [] { return false; });
    if (tools_.stop.stop_requested()) return summary;
  }
}

// Nothing follows that needs this end on disk: were it lost, recovery would find the result in
// place.
bool JobRun::may_keep(const JobEnd& end) const {
  return end.state == JobState::Delivered && folder_.settings.after == AfterSuccess::Keep &&
         folder_.settings.failed == AfterFailure::Keep;
}

void JobRun::finish(const JobEnd& end) {
  if (end.state == JobState::Delivered) {
    log(Level::Debug, "delivered",
        {{"folder", job_.candidate.folder},
         {"file", job_.candidate.name},
         {"output", output_name_}});
  } else if (end.state == JobState::Failed) {
    log(Level::Warning, "failed",
        {{"folder", job_.candidate.folder},
         {"file", job_.candidate.name},
         {"to", job_.target},
         {"kind", std::string(to_string(*end.kind))},
         {"why", end.reason}});
  }
  if (may_keep(end)) {
    auto kept = tools_.ledger.finish_and_keep(job_.id, attempt_, end, tools_.clock.wall_now());
    if (!kept) log_error(Level::Error, "cannot record the end of a job", kept.error());
    tools_.finished(assignment_, end, nullptr);
    return;
  }
  const auto summary = record(end);
  if (!summary) {
    log_error(Level::Error, "cannot record the end of a job", summary.error(),
              {{"file", job_.candidate.name}});
    tools_.ledger.release(job_.id);
    return;
  }
  // May move or delete the source.
  folder_.inbox_io.timed(worker_, [&] { tools_.finished(assignment_, end, &*summary); });
  if (end.kind == ErrorKind::Changed || end.kind == ErrorKind::Vanished) {
    tools_.settle_anew(assignment_);
  }
}

}  // namespace millrace
