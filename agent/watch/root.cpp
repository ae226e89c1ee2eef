#include "agent/watch/root.hpp"

#include <array>
#include <stop_token>
#include <thread>
#include <utility>

#include "agent/watch/root_board.hpp"
#include "agent/watch/root_loop.hpp"
#include "platform/base/thread.hpp"

namespace millrace {

std::string_view to_string(RootState state) {
  constexpr std::array<std::string_view, 6> kNames{"opening",  "offline", "scanning",
                                                   "watching", "stalled", "stopped"};
  return kNames[static_cast<std::size_t>(state)];
}

struct FolderRoot::State {
  State(RootSettings s, FileSystem& fs, const Clock& c, RootSink& k, OpenWatcher open)
      : settings(std::move(s)),
        filter(settings.names),
        clock(c),
        placeholders(settings.gather_placeholders),
        loop(settings, filter, fs, clock, k, board, placeholders, std::move(open)) {}

  const RootSettings settings;
  const NameFilter filter;
  const Clock& clock;
  RootBoard board;
  Placeholders placeholders;
  RootLoop loop;        // touched by the thread only
  std::jthread thread;  // last: it is joined before anything that it uses goes
};

FolderRoot::FolderRoot(RootSettings settings, FileSystem& file_system, const Clock& clock,
                       RootSink& sink, OpenWatcher open_watcher)
    : state_(std::make_unique<State>(std::move(settings), file_system, clock, sink,
                                     std::move(open_watcher))) {}

FolderRoot::~FolderRoot() { request_stop(); }

void FolderRoot::start() {
  State& state = *state_;
  state.thread = start_thread("root " + state.settings.folder, [&state](std::stop_token stop) {
    const std::stop_callback waker(stop, [&state] { state.board.wake(); });
    state.loop.run(stop);
    state.board.set_stopped();
  });
}

void FolderRoot::request_probes(std::vector<ProbeRequest> probes) {
  state_->board.post_probes(std::move(probes));
}

void FolderRoot::request_rescan(Haste haste) { state_->board.want_rescan(haste); }

void FolderRoot::acknowledge(const Name& name, std::string_view version) {
  state_->board.acknowledge(name, version);
}

void FolderRoot::forget_acknowledged() { state_->board.forget_acknowledged(); }

void FolderRoot::wake() { state_->board.wake(); }

RootHealth FolderRoot::health() const {
  return state_->board.health(state_->clock.now(), state_->settings.stalled_after);
}

std::optional<std::string> FolderRoot::why_not(std::string_view name) const {
  return state_->filter.why_not(name);
}

bool FolderRoot::is_in_cloud(const Name& name) const { return state_->placeholders.holds(name); }

void FolderRoot::request_stop() { state_->thread.request_stop(); }

bool FolderRoot::wait_stopped(TimePoint deadline) const {
  return state_->board.wait_stopped(deadline);
}

}  // namespace millrace
