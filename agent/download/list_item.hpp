// One line of a list of downloads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "platform/base/result.hpp"

namespace millrace {

struct ListItem {
  std::string url;                    // as it was written; nothing of it was checked
  std::string name;                   // wished for; empty: the URL's own
  std::string sha256;                 // 64 hex digits in lower case, or empty: not known
  std::optional<std::uint64_t> size;  // bytes
  std::uint64_t line = 0;             // where it begins in its list, from 1
};

// An error is of this item alone; the next one may be right again.
using ItemSink = std::function<void(Result<ListItem>)>;

}  // namespace millrace
