#include "agent/download/answer_queue.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;
using namespace std::chrono_literals;

namespace {

// The queue, and time that stands still between steps.
struct Bench {
  AnswerQueue queue;
  TimePoint now{};

  AnswerQueue::Id send() {
    const auto id = queue.begin(now);
    queue.sent(id, std::make_unique<Underway>());
    queue.back_from_sending(now);
    return id;
  }
  void answer(int count, Arrival how = Arrival::Whole) {
    for (int i = 0; i < count; ++i) queue.answered(send(), how);
  }
  AnswerQueue::Taken take() { return queue.take(now); }
  void back(const AnswerQueue::Taken& taken, Duration took = 0us) {
    queue.back(taken, now += took);
  }
  bool short_of_workers() const { return queue.short_of_workers(now); }
  bool wants_worker() const { return queue.wants_worker(now); }
};

}  // namespace

TEST_CASE("answers are taken in the order in which they came") {
  Bench bench;
  const auto first = bench.send(), second = bench.send();
  bench.queue.answered(second, Arrival::Begun);
  bench.queue.answered(first, Arrival::Whole);
  CHECK(bench.take().how == Arrival::Begun);
  CHECK(bench.take().how == Arrival::Whole);
  CHECK_FALSE(bench.queue.has_answer());
}

TEST_CASE("an answer may come before the request counts as sent, or after it is gone") {
  Bench bench;
  const auto early = bench.queue.begin(bench.now);
  bench.queue.answered(early, Arrival::Whole);
  CHECK_FALSE(bench.queue.has_answer());
  bench.queue.sent(early, std::make_unique<Underway>());
  CHECK(bench.queue.has_answer());
  const auto refused = bench.queue.begin(bench.now);
  bench.queue.not_sent(refused);
  bench.queue.answered(refused, Arrival::Whole);
  CHECK(bench.take().request != nullptr);
  CHECK_FALSE(bench.queue.has_answer());
}

TEST_CASE("what is under way and what is in hand counts until it is back") {
  Bench bench;
  bench.answer(2);
  CHECK(bench.queue.size() == 2);
  const auto taken = bench.take();
  CHECK(bench.queue.size() == 2);
  bench.back(taken);
  CHECK(bench.queue.size() == 1);
  CHECK(bench.queue.give_up().size() == 1);
  CHECK(bench.queue.size() == 0);
  CHECK_FALSE(bench.queue.has_answer());
}

TEST_CASE("no worker is woken while another is about to come back") {
  Bench bench;
  bench.answer(2);
  CHECK(bench.wants_worker());
  const auto whole = bench.take();
  CHECK_FALSE(bench.wants_worker());
  CHECK_FALSE(bench.short_of_workers());
  bench.answer(static_cast<int>(AnswerQueue::kMostPatient));
  CHECK(bench.wants_worker());  // too many for those that are awake
  bench.back(whole);
  CHECK(bench.short_of_workers());
}

TEST_CASE("a worker that sends is about to come back") {
  Bench bench;
  bench.answer(1);
  const auto sending = bench.queue.begin(bench.now);
  CHECK_FALSE(bench.wants_worker());
  bench.queue.sent(sending, std::make_unique<Underway>());
  bench.queue.back_from_sending(bench.now);
  CHECK(bench.wants_worker());
}

TEST_CASE("a worker that waits for the rest of an answer keeps none from being woken") {
  Bench bench;
  bench.answer(1, Arrival::Begun);
  bench.answer(1);
  const auto taken = bench.take();
  CHECK(bench.wants_worker());
  bench.back(taken);
  CHECK(bench.wants_worker());
}

TEST_CASE("after a slow answer none waits for another worker, for a while") {
  Bench bench;
  bench.answer(1);
  bench.back(bench.take(), AnswerQueue::kQuick + 1us);
  for (int i = 0; i < AnswerQueue::kEager / 2; ++i) {
    bench.answer(2);
    const auto taken = bench.take();
    CHECK(bench.wants_worker());
    bench.back(taken);
    bench.back(bench.take());
  }
  bench.answer(2);
  const auto taken = bench.take();
  CHECK_FALSE(bench.wants_worker());
  bench.back(taken);
}

TEST_CASE("a worker that naps is woken by many answers, or by half of what was asked for") {
  Bench bench;
  CHECK_FALSE(bench.queue.begin_nap(bench.now));  // nothing can come
  const auto only = bench.send();
  REQUIRE(bench.queue.begin_nap(bench.now));
  CHECK_FALSE(bench.queue.begin_nap(bench.now));  // one is enough
  CHECK_FALSE(bench.short_of_workers());
  bench.queue.answered(only, Arrival::Whole);
  CHECK(bench.wants_worker());
  bench.queue.end_nap(bench.now);
  bench.back(bench.take());

  std::vector<AnswerQueue::Id> sent;
  for (std::size_t i = 0; i < 4 * AnswerQueue::kMostPatient; ++i) sent.push_back(bench.send());
  REQUIRE(bench.queue.begin_nap(bench.now));
  for (std::size_t i = 0; i < AnswerQueue::kMostPatient; ++i)
    bench.queue.answered(sent[i], Arrival::Whole);
  CHECK_FALSE(bench.wants_worker());
  bench.queue.answered(sent[AnswerQueue::kMostPatient], Arrival::Whole);
  CHECK(bench.wants_worker());
  bench.queue.end_nap(bench.now);
  CHECK(bench.short_of_workers());
}

TEST_CASE("where the system wakes late nobody naps, for a while") {
  Bench bench;
  const auto asked = bench.send();
  REQUIRE(bench.queue.begin_nap(bench.now));
  bench.queue.end_nap(bench.now += 4 * AnswerQueue::kNap + 1us);
  CHECK_FALSE(bench.queue.begin_nap(bench.now));
  bench.queue.answered(asked, Arrival::Whole);
  bench.back(bench.take());
  for (int i = 1; i < AnswerQueue::kEager; ++i) {
    bench.answer(1);
    bench.back(bench.take());
  }
  bench.send();
  CHECK(bench.queue.begin_nap(bench.now));
}

TEST_CASE("a worker that stays away is not waited for, whatever holds it") {
  Bench bench;
  bench.answer(2);
  const auto stuck = bench.take();
  bench.now += AnswerQueue::kQuick;
  CHECK_FALSE(bench.wants_worker());
  bench.now += 1us;
  CHECK(bench.wants_worker());
  const auto quick = bench.take();
  CHECK_FALSE(bench.short_of_workers());
  bench.back(quick);
  CHECK(bench.short_of_workers());
  bench.back(stuck);
}
