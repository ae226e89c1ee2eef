// One inbox, and what the rest of the agent hears of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/job/observation.hpp"
#include "agent/watch/name_filter.hpp"
#include "agent/watch/placeholders.hpp"
#include "platform/base/clock.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/watch/watcher.hpp"

namespace millrace {

struct RootSettings {
  std::size_t index = 0;  // goes into every observation
  std::string folder;     // name of the [[folder]]
  std::filesystem::path inbox;
  NameRules names;
  std::optional<Duration> poll;  // set: poll this often even where events would come
  // Between two rescans, less or more by up to a tenth.
  Duration rescan_every = std::chrono::minutes{5};
  Duration stalled_after = std::chrono::seconds{10};
  // First and longest time between two tries to open a root that is away.
  Duration first_retry = std::chrono::milliseconds{250};
  Duration longest_retry = std::chrono::seconds{30};
  // How long files without bytes are gathered before they are told.
  Duration gather_placeholders = std::chrono::seconds{10};
  // What watched_up_to() told in an earlier run; empty for nothing.
  std::string watch_since;
};

// Opening until the first try to open it has ended; Offline always tells why.
enum class RootState { Opening, Offline, Scanning, Watching, Stalled, Stopped };
std::string_view to_string(RootState state);  // lower case, as JSON shows it

struct RootHealth {
  RootState state = RootState::Opening;
  std::string how;   // "inotify", "polling every 10 s (cifs)"
  std::string why;   // why it is not just watching: an error, a limit that was hit
  WallTime since{};  // of this state
  RootNature nature = RootNature::LocalEvents;
  std::optional<WallTime> last_scan;  // when the last scan of the whole root ended
  std::uint64_t files_seen = 0;       // candidates that it saw
  std::uint64_t refused = 0;          // entries that can never be candidates, in that scan
  std::uint64_t scans = 0;            // whole ones, so far
  std::uint64_t losses = 0;           // times that events were lost: overflows, big moves
  std::uint64_t reopened = 0;         // times that the root came back
  std::uint64_t done_before = 0;      // sources left out in that scan: their results lay there
  bool needs_person = false;          // offline until somebody changes settings or rights
  std::size_t acknowledged = 0;       // versions that rescans pass over
  Duration stalled_for{0};            // how long the call has lasted that does not return
};

struct Refused {  // found, but never a candidate: link, FIFO, device, unreadable folder, too deep
  Name name;
  std::string reason;
};

struct SeenVersion {
  Name name;
  std::string version;
};

enum class Completeness {
  Whole,   // everything could be listed
  Partial  // some folder could not be read
};

struct ScanReport {
  std::size_t root = 0;
  Name below;  // "" for the whole root
  Completeness completeness = Completeness::Whole;
  std::uint64_t files = 0;     // candidates seen
  std::uint64_t reported = 0;  // of them handed to observed()
  std::uint64_t refused = 0;
  std::uint64_t left_out = 0;  // by the folder's patterns
  Duration took{0};
  Duration cpu{0};
};

// What the pipeline hears. Everything is called on the root's thread, without any lock; whatever
// blocks here blocks this root only, but also the answers to its probes.
class RootSink {
 public:
  virtual ~RootSink() = default;
  // At most kMostObservations at a time.
  virtual void observed(std::vector<Observation> seen) = 0;
  virtual void probed(std::vector<ProbeAnswer> answers) = 0;
  // Versions that are whole as soon as they are seen, so that nothing settles. At most
  // kMostObservations at a time.
  virtual void whole(std::size_t root, std::vector<Candidate> seen) = 0;
  // Each name once, as long as the reason stays.
  virtual void refused(std::size_t root, std::vector<Refused> names) = 0;
  // Files that are left out because their bytes are not on this machine; see Placeholders.
  virtual void left_in_cloud(std::size_t root, const LeftInCloud& files) = 0;
  virtual void scan_finished(const ScanReport& report) = 0;
  virtual void health_changed(std::size_t root, const RootHealth& health) = 0;
  // All events up to this position were handed on: to be kept for RootSettings::watch_since of a
  // later run, so that it looks first at names that changed while nobody watched. A matter of order
  // only: what was handed on and then lost, the scan at the start finds again. Called at most every
  // 5 s and at the end, and never where the system keeps no history of changes.
  virtual void watched_up_to(std::size_t root, const std::string& position) = 0;
  // One answer for each: true if the ledger has that version (waiting or final), so that it need
  // not be reported now or in later scans. Asked during scans only.
  virtual std::vector<bool> known(std::size_t root, const std::vector<SeenVersion>& seen) = 0;
  // False makes a scan wait before its next batch; probes and events go on meanwhile, and the
  // question is asked again when wake() is called or 200 ms have passed.
  virtual bool has_room(std::size_t root) = 0;

  static constexpr std::size_t kMostObservations = 1024;
};

// open_native_watcher(), but for tests.
using OpenWatcher = std::function<Result<std::unique_ptr<Watcher>>(
    const std::filesystem::path& inbox, const WatchOptions& options)>;

enum class Haste {
  WhenDue,  // no sooner than 500 times the processor time of the last scan
  Now       // a person asked
};

// All methods but start() and the destructor may be called from any thread and return at once.
class Root {
 public:
  // Stops and joins; waits as long as a call on a hung share lasts (see wait_stopped).
  virtual ~Root() = default;

  virtual void start() = 0;  // once
  // Answered through RootSink::probed in order, as soon as the root can be reached.
  virtual void request_probes(std::vector<ProbeRequest> probes) = 0;
  virtual void request_rescan(Haste haste) = 0;
  // Somebody else saw this one change, and may be wrong. A root without events of its own looks at
  // it soon.
  virtual void hint(const Name& name) = 0;
  // Rescans pass over exactly this version from now on, as long as it lies in the root.
  virtual void acknowledge(const Name& name, std::string_view version) = 0;
  virtual void forget_acknowledged() = 0;  // the next scan reports everything again
  virtual void wake() = 0;
  // Never waits for the root's thread: a stalled root is told from the outside.
  virtual RootHealth health() const = 0;
  // Nothing if the name would be a candidate; else why not. Looks at the name only.
  virtual std::optional<std::string> why_not(std::string_view name) const = 0;
  // Left out since its bytes are not on this machine.
  virtual bool is_in_cloud(const Name& name) const = 0;

  virtual void request_stop() = 0;
  // True if the thread has ended by then; false if it hangs in a call, and then the process has to
  // end without joining it. Blocks until `deadline` at most.
  virtual bool wait_stopped(TimePoint deadline) const = 0;
};

// A folder: watched and scanned by a thread of its own, which also makes every system call on its
// files before they are queued. A hung share stops this thread and no other.
//
//   Opening --opened--> Scanning --done--> Watching --due, lost--> Scanning
//      | failed         ^   |                  |
//      +---> Offline ---+   |                  |      Stalled: shown while a call does not return
//               ^-----------+--- root lost ----+
class FolderRoot final : public Root {
 public:
  // The file system, the clock and the sink must outlive the root.
  FolderRoot(RootSettings settings, FileSystem& file_system, const Clock& clock, RootSink& sink,
             OpenWatcher open_watcher = open_native_watcher);
  ~FolderRoot() override;
  FolderRoot(const FolderRoot&) = delete;
  FolderRoot& operator=(const FolderRoot&) = delete;

  void start() override;
  void request_probes(std::vector<ProbeRequest> probes) override;
  void request_rescan(Haste haste) override;
  void hint(const Name&) override {}  // it has events of its own, or polls
  void acknowledge(const Name& name, std::string_view version) override;
  void forget_acknowledged() override;
  void wake() override;
  RootHealth health() const override;
  std::optional<std::string> why_not(std::string_view name) const override;
  bool is_in_cloud(const Name& name) const override;
  void request_stop() override;
  bool wait_stopped(TimePoint deadline) const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
