// The files that the engine holds: found by name, ordered by the time of their next look and by
// age. 50,000 of them with names of 60 bytes take about 12 MB; nothing here scans them all but
// remove_all and postpone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/job/observation.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

// What a file waits for.
enum class Phase : std::uint8_t {
  Quiet,    // no change for its quiet time
  Probe,    // out for a closer look, or due for one
  Writer,   // a program has it open for writing
  EndMark,  // its end mark is missing
  Marker,   // its ready marker is missing
  Filled,   // it is empty
  Refused,  // it cannot be read
};

struct WaitingFile {
  const Name* name = nullptr;  // its key in the table
  Stamp stamp;
  TimePoint changed_at;  // the last change or sign of a writer that was seen
  TimePoint first_seen;
  TimePoint probed_at;
  TimePoint due;
  std::unique_ptr<std::string> refusal;
  WaitingFile* older = nullptr;  // among those that are not overdue
  WaitingFile* newer = nullptr;
  std::uint32_t root = 0;
  std::uint32_t heap_place = kNotDue;
  std::uint8_t looks = 0;  // probes since the last change; saturates
  Evidence why = Evidence::Found;
  WriterTest writer = WriterTest::None;  // of the last probe
  Phase phase = Phase::Quiet;
  bool out = false;        // a probe was taken and not answered
  bool disturbed = false;  // changed while it was out
  bool old = false;        // found with a change time long past
  bool told_late = false;  // was reported as overdue

  static constexpr std::uint32_t kNotDue = UINT32_MAX;
};

class WaitingFiles {
 public:
  WaitingFile* find(std::size_t root, const Name& name);
  const WaitingFile* find(std::size_t root, const Name& name) const;
  // The name must be new.
  WaitingFile& add(std::size_t root, const Name& name, TimePoint now);
  void remove(WaitingFile& file);
  void remove_all(std::size_t root);

  void schedule(WaitingFile& file, TimePoint due);
  void unschedule(WaitingFile& file);
  // Moves the last change and the next look of every file.
  void postpone(Duration by);
  // The one with the earliest due time; null if none is scheduled.
  WaitingFile* first_due() const { return heap_.empty() ? nullptr : heap_.front(); }
  // The one that waits longest and was not told late.
  WaitingFile* oldest() const { return oldest_; }
  void tell_late(WaitingFile& file);

  std::size_t size() const { return size_; }
  std::size_t size(std::size_t root) const;

 private:
  using Table = std::unordered_map<Name, WaitingFile>;  // its nodes do not move

  void place(std::size_t at, WaitingFile* file);
  void rise(std::size_t at);
  void sink(std::size_t at);
  void unlink(WaitingFile& file);

  std::vector<Table> tables_;       // by root
  std::vector<WaitingFile*> heap_;  // binary, earliest due first
  WaitingFile* oldest_ = nullptr;
  WaitingFile* newest_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millrace
