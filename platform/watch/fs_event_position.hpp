// Where in the history of FSEvents a later watcher may begin. Pure: its tests run everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

// An id of an event counts in one history of its volume, which has a uuid: where the history was
// thrown away, the next one has another (FSEvents.h, FSEventsCopyUUIDForDevice). The id 0 is none;
// a stream would take it for the beginning of time.
struct FsEventPosition {
  std::array<std::uint8_t, 16> history{};
  std::uint64_t id = 0;

  bool operator==(const FsEventPosition&) const = default;
};

// "E621E1F8-C36C-495A-93FC-0C247A3E6E5F:1234"; empty for the id 0.
std::string position_text(const FsEventPosition& position);
// Nothing if the text is not one that position_text() gives.
std::optional<FsEventPosition> parse_position(std::string_view text);

// The id after which a stream begins that is to tell what has happened since `kept`, a text of an
// earlier watcher; nothing if that text is of another history or says more than has happened by
// `now`: what it told of cannot be compared then.
std::optional<std::uint64_t> begins_after(std::string_view kept, const FsEventPosition& now);

}  // namespace millrace
