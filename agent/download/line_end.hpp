// How a line of a list ended.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace millrace {

struct LineEnd {
  enum class How {
    Fetched,
    Skipped,  // fetched before, has not changed, or somebody else's file lies there
    Failed,
    Waiting,  // given up before it ended
  };
  How how = How::Fetched;
  std::uint64_t line = 0;             // from 1
  std::string name;                   // beneath the folder, printable; empty: the line is none
  std::optional<std::uint64_t> size;  // bytes, where it is known
  std::string sha256;                 // hex, or empty: not known
  std::string reason;                 // one line for people; Fetched: empty, or what was odd
};

// On any thread of the run; must not block for long.
using LineEndSink = std::function<void(const LineEnd&)>;

}  // namespace millrace
