// Which sources of a sorted listing may want the same name for their results. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/job/candidate.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Whether the first choice of a source's output names is the source's alone. Where it is not, a
// result that lies there may be another source's.
enum class NameUse { Alone, Doubtful };

// Takes sources in the order of the bytes of their names and gives each one back with the use of
// its name, possibly later and in another order.
//
// Two sources want one name if they differ in their extension only (a.jpg, a.png), or if one would
// get as its second choice what the other wants first (a.jpg as a.jpg.webp, a.jpg.png). Either way
// both names begin with the same base (a, a.jpg), and all names with that beginning follow one
// another. So a base is open only while the names begin with it, and those that are open at one
// time are beginnings of one name: never more than it has bytes, 1,024 for a key. At most one
// source waits for each, since the second one makes both doubtful. With an output of `{name}.{to}`
// every source is alone; with any other than that and `{stem}.{to}` every source is doubtful.
class SharedNames {
 public:
  using Sink = std::function<void(Candidate, NameUse)>;
  SharedNames(std::string_view output, Sink sink);

  // Configuration if its name does not follow the name before.
  Result<void> add(Candidate source);
  void finish();  // after the last one
  std::size_t waiting() const;

 private:
  struct Base {
    std::string text;
    int sources = 0;                 // that want or might get a name of it; 2 stands for more
    std::optional<Candidate> first;  // waits for whether there is another
  };

  void close_bases(std::string_view name);
  Base& base(std::string_view text);

  const bool by_stem_;
  const bool by_name_;
  const Sink sink_;
  std::vector<Base> open_;  // each text begins with the one before it
  std::string last_;
};

}  // namespace millrace
