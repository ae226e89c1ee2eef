// A small world in which one file is written by a known schedule, and an engine that looks at it
// through events, polls or both; time is simulated.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "agent/settle/settle_engine.hpp"

namespace millrace::test {

enum class Act { Create, Write, Close, Attrib, MoveIn, Delete };
struct Step {
  int at_ms;
  Act act;
  int size = 0;  // after it
};

inline TimePoint ms(int at) {
  return TimePoint{std::chrono::hours{1}} + std::chrono::milliseconds{at};
}

// The file as it is at a time.
class World {
 public:
  explicit World(std::vector<Step> steps) : steps_(std::move(steps)) {}

  struct View {
    bool there = false;
    Stamp stamp;
    bool open = false;
    int changed_ms = -1;
  };
  View at(int time) const {
    View view;
    std::uint64_t id = 0;
    for (const Step& step : steps_) {
      if (step.at_ms > time) break;
      apply(step, view, id);
    }
    return view;
  }
  const std::vector<Step>& steps() const { return steps_; }
  int last_change() const { return steps_.back().at_ms; }

 private:
  static void apply(const Step& step, View& view, std::uint64_t& id) {
    if (step.act == Act::Delete) {
      view = View{};
      return;
    }
    if (step.act == Act::Close) {
      view.open = false;
      return;
    }
    if (!view.there || step.act == Act::MoveIn) view.stamp.file_id = ++id;
    view.there = true;
    if (step.act == Act::Create || step.act == Act::Write) view.open = true;
    if (step.act != Act::Attrib) view.stamp.size = static_cast<std::uint64_t>(step.size);
    // An attribute change sets an old mtime back, as unzip and rsync do.
    view.stamp.mtime_ns = step.act == Act::Attrib ? 1 : step.at_ms + 1'000'000;
    view.stamp.changed_ns = step.at_ms + 1'000'000;
    view.changed_ms = step.at_ms;
  }
  std::vector<Step> steps_;
};

struct Handed {
  int at_ms;
  Settled settled;
};

struct ReplayOptions {
  Name name = "a.png";
  RootNature nature = RootNature::LocalEvents;
  WriterTest when_closed = WriterTest::None;  // what a probe can say
  int poll_ms = 0;                            // 0: events only
  bool events = true;
  bool has_end_mark = true;
  int until_ms = 60'000;
};

struct Replayed {
  std::vector<Handed> handed;
  std::vector<TooEarly> too_early;
  int shelved = 0;
  int probes = 0;
};

inline Evidence evidence_of(Act act) {
  if (act == Act::MoveIn) return Evidence::Moved;
  return act == Act::Close ? Evidence::Closed : Evidence::Written;
}

class Replay {
 public:
  Replay(World world, ReplayOptions options)
      : world_(std::move(world)), options_(std::move(options)) {
    engine_.set_rules(0, {.folder = "f",
                          .nature = options_.nature,
                          .poll_every = std::chrono::milliseconds{options_.poll_ms}});
  }

  Replayed run() {
    std::size_t next_step = 0;
    for (int now = 0; now <= options_.until_ms; ++now) {
      for (; next_step < world_.steps().size() && world_.steps()[next_step].at_ms <= now;
           ++next_step) {
        if (options_.events) observe(evidence_of(world_.steps()[next_step].act), now);
      }
      if (options_.poll_ms > 0 && now % options_.poll_ms == 0) observe(Evidence::Found, now);
      if (const auto due = engine_.next_deadline(); due && *due <= ms(now)) answer_probes(now);
    }
    return result_;
  }

 private:
  void observe(Evidence why, int now) {
    const World::View view = world_.at(now);
    engine_.observe({.root = 0,
                     .name = options_.name,
                     .stamp = view.stamp,
                     .why = why,
                     .change_age_ns = std::int64_t{now - view.changed_ms} * 1'000'000,
                     .gone = !view.there},
                    ms(now));
    collect(now);
  }
  void answer_probes(int now) {
    for (const ProbeRequest& request : engine_.take_probes(ms(now))) {
      ++result_.probes;
      const World::View view = world_.at(now);
      const EndMark mark = !options_.has_end_mark        ? EndMark::NotExpected
                           : now >= world_.last_change() ? EndMark::Present
                                                         : EndMark::Missing;
      const WriterTest writer = view.open && options_.when_closed == WriterTest::None
                                    ? WriterTest::Open
                                    : options_.when_closed;
      engine_.answer({.root = 0,
                      .name = request.name,
                      .gone = !view.there,
                      .stamp = view.stamp,
                      .writer = writer,
                      .end_mark = mark,
                      .version = std::to_string(view.stamp.changed_ns)},
                     ms(now));
    }
    collect(now);
  }
  void collect(int now) {
    for (Settled& settled : engine_.take_settled()) {
      result_.handed.push_back({now, std::move(settled)});
    }
    result_.shelved += static_cast<int>(engine_.take_shelved().size());
    std::ranges::move(engine_.take_too_early(), std::back_inserter(result_.too_early));
  }

  World world_;
  ReplayOptions options_;
  SettleEngine engine_;
  Replayed result_;
};

}  // namespace millrace::test
