// What of the sources has no result yet: two sorted listings side by side, so that it takes a
// request for a thousand objects and not one for each, and the same memory for any number.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "agent/deliver/shared_names.hpp"
#include "agent/job/candidate.hpp"
#include "platform/base/result.hpp"

namespace millrace {

// Sources in the order of the bytes of their names. One thread; calls may block.
class SourceListing {
 public:
  virtual ~SourceListing() = default;
  virtual Result<std::vector<Candidate>> next_page() = 0;  // empty: there are no more
};

// The names of an outbox in the order of their bytes. One thread; calls may block.
class ResultListing {
 public:
  struct Page {
    std::vector<Name> names;
    bool is_last = true;  // nothing follows; a page that is not the last is not empty
  };
  virtual ~ResultListing() = default;
  // The first names behind `name`, which need not be there; "" is before all.
  virtual Result<Page> page_behind(const Name& name) = 0;
};

// What is known of a source before results are looked for.
enum class Wanted {
  No,         // it is left out, whatever lies there
  IfMissing,  // it is given if it has no result
  Yes         // it is given, whatever lies there
};
// One answer for each, in their order. Every source is asked for once.
using Choose = std::function<Result<std::vector<Wanted>>(std::span<const Candidate>)>;

struct WalkRules {
  std::string output = "{stem}.{to}";
  std::vector<std::string> to;       // at least one; a source is done if it has a result of each
  std::size_t sources_held = 8'192;  // at a time, beside one page of each listing
};

// A source is left out only where it is not wanted, or where its result surely lies there: under
// its first choice of a name that no other source may have got (SharedNames). All others are given,
// with or without a result: whoever takes them has to look. The listing must hold the unwanted ones
// too, since they may have got names that others want.
//
// The order of the results is not that of the sources: a.png comes before a.q.png and a.webp after
// a.q.webp, with any number of others between, and what a name may not hold is escaped. So the
// sources are taken in handfuls, each is sorted by its results' names, and the listing of the
// results is asked on from where the next one must lie. Whatever the orders are, the answer is
// right and a source costs at most one page of results, but for names that differ in their last
// character from more than a page of others; where the orders agree, a page serves a thousand.
class MissingResults {
 public:
  MissingResults(SourceListing& sources, ResultListing& results, WalkRules rules, Choose choose);
  MissingResults(const MissingResults&) = delete;  // shared_ calls back
  MissingResults& operator=(const MissingResults&) = delete;

  // The next of them, at most about `sources_held`; empty: there are no more. After an error the
  // walk is over.
  Result<std::vector<Candidate>> next();

 private:
  // The page of results that was looked at last.
  class Window {
   public:
    explicit Window(ResultListing& results) : results_(results) {}
    Result<bool> holds(const Name& name);

   private:
    bool covers(const Name& name) const;
    ResultListing& results_;
    bool asked_ = false;
    Name behind_;  // the page holds all names behind this one, up to its last
    ResultListing::Page page_;
  };

  Result<void> fill();
  Result<void> choose();
  Result<void> keep_missing(const std::string& to, Window& window);

  SourceListing& sources_;
  const WalkRules rules_;
  const Choose choose_;
  std::vector<Window> windows_;     // one for each of rules_.to
  std::vector<Candidate> found_;    // goes out, whatever lies there
  std::vector<Candidate> handful_;  // alone with their names
  SharedNames shared_;
  bool ended_ = false;
};

}  // namespace millrace
