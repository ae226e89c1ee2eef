// One end of a pipe to a child, with reads and writes that a deadline can end. One thread.
#pragma once

#include <windows.h>

#include <array>
#include <string_view>

#include "platform/base/clock.hpp"
#include "platform/base/handle_windows.hpp"
#include "platform/base/result.hpp"

namespace millrace::process {

// Milliseconds for a wait function, rounded up; 0 when past.
DWORD wait_limit(TimePoint deadline);

struct PipeEnds {
  Handle ours;    // overlapped, not inherited
  Handle theirs;  // plain; the caller makes it inheritable
};
enum class ChildDoes { Read, Write };
Result<PipeEnds> make_pipe(ChildDoes does);

// Reads ahead by one piece.
class PipeReader {
 public:
  explicit PipeReader(Handle pipe);
  ~PipeReader();
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;

  bool open() const { return static_cast<bool>(pipe_); }
  // Set when take() has something to say.
  HANDLE ready() const { return event_.get(); }
  // What has arrived, valid until the next call; empty at the end of the stream, which open() then
  // tells, and where nothing is there yet.
  std::string_view take();

 private:
  void begin();

  Handle pipe_;
  Handle event_;
  OVERLAPPED operation_{};
  std::array<char, 16 * 1024> taken_{};
  std::array<char, 16 * 1024> coming_{};
};

// One write that is under way until it is done or given up; `bytes` must live as long as it.
class PipeWrite {
 public:
  PipeWrite(const Handle& pipe, std::string_view bytes);
  ~PipeWrite();
  PipeWrite(const PipeWrite&) = delete;
  PipeWrite& operator=(const PipeWrite&) = delete;

  HANDLE done() const { return event_.get(); }
  // After done(): how much was taken; Vanished if nobody reads any more.
  Result<std::size_t> taken();

 private:
  HANDLE pipe_;
  Handle event_;
  OVERLAPPED operation_{};
  DWORD refused_ = 0;
};

}  // namespace millrace::process
