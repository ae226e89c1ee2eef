// What a root's thread does.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <vector>

#include "agent/watch/mount_memory.hpp"
#include "agent/watch/pacer.hpp"
#include "agent/watch/placeholders.hpp"
#include "agent/watch/root.hpp"
#include "agent/watch/root_board.hpp"
#include "agent/watch/tree_scan.hpp"
#include "agent/watch/watch_position.hpp"

namespace millrace {

// One thread calls run(), once; it returns soon after `stop` fires and the board was woken.
class RootLoop final : private ScanVisitor {
 public:
  RootLoop(const RootSettings& settings, const NameFilter& filter, FileSystem& file_system,
           const Clock& clock, RootSink& sink, RootBoard& board, Placeholders& placeholders,
           OpenWatcher open_native);
  ~RootLoop() override;

  void run(std::stop_token stop);

 private:
  // -- opening and losing ------------------------------------------------------------------------
  Result<void> open();
  Result<std::unique_ptr<Watcher>> open_watcher(const FileSystemKind& kind);
  void go_offline(const Error& error);
  void wait_offline();
  void retry_later();
  bool is_online() const { return directory_ != nullptr; }
  bool root_is_there();
  void set_state(RootState state, std::string why);

  // -- one turn ----------------------------------------------------------------------------------
  void turn();
  void serve();                     // probes and events, without waiting for new ones
  void listen(TimePoint deadline);  // waits for events
  void answer_probes();
  void note_placeholder(ProbeAnswer& answer);
  void note_requests();
  void note_gaps(TimePoint expected);
  TimePoint next_deadline(TimePoint now) const;

  // -- events ------------------------------------------------------------------------------------
  void take(std::vector<WatchEvent>& events);
  void take_touched(const Name& name, Change change);
  void look_at(const Name& name, Evidence why);
  void lose(const Lost& lost);
  void report_gone(const Name& name);

  // -- scanning ----------------------------------------------------------------------------------
  void scan_what_is_due();
  void scan(const Name& below, Pacer& pacer);
  Visit file(const Name& name, const FileInfo& info) override;
  Visit refused(const Name& name, std::string reason) override;
  Visit left_out(const Name& name) override;
  void still_alive() override;
  Visit flush_scanned();
  void wait_for_room();
  void finish_scan(Completeness completeness, TimePoint start, Duration cpu);

  void hand_over();  // what is in observations_
  void tell_placeholders(TimePoint now);
  void tell_position(TimePoint now);
  void report_refused(const Name& name, std::string reason);
  Observation observation_of(const Name& name, const FileInfo& info, Evidence why) const;

  const RootSettings& settings_;
  const NameFilter& filter_;
  FileSystem& file_system_;
  const Clock& clock_;
  RootSink& sink_;
  RootBoard& board_;
  Placeholders& placeholders_;
  const OpenWatcher open_native_;

  std::stop_token stop_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Watcher> watcher_;
  MountMemory mounts_;
  FileSystemKind kind_;
  RootHealth health_;
  bool polls_ = false;
  WatchPosition position_;
  std::string limit_;  // why native watching was given up, or empty
  // Set where the root was found to be lost; acted on when no walk is under way.
  std::optional<Error> ended_;
  bool listed_ = false;  // whole, since it was opened
  Duration retry_{0};
  TimePoint retry_at_{};

  Pacer whole_{500};
  Pacer parts_{20};
  std::set<Name> lost_below_;
  TimePoint rescan_at_{};
  Duration asleep_{0};
  std::mt19937_64 random_;

  std::optional<ScanReport> scan_;  // of the walk under way
  struct Scanned {
    Observation seen;
    std::string version;
    bool placeholder = false;
  };
  std::vector<Scanned> scanned_;
  std::vector<Observation> observations_;
  std::map<Name, std::string> refused_;  // already told, at most kMostRefused
  std::vector<Refused> new_refused_;
};

}  // namespace millrace
