// The fault script of the stand-in API: what goes wrong, and for which request.
//
// One rule a line, `CONDITION... FAULT [ARGUMENT...]`, `#` begins a comment; the first rule that
// fits a POST decides, a POST that fits none is served well.
//   conditions  seq=3 seq=3-7   number of the POST since the last script, from 1
//               every=10        each tenth POST        try=1 try=1-2   n-th POST under its key
//               p=0.05          by chance (`--seed`)   key=ab12        the key begins so
//               times=4         at most four uses of this rule
//   faults      reset [at=0.5]              RST when that share of the body was read (0: at once)
//               close-after-upload          converted and billed, closed without an answer
//               status=503 [code=.. message=.. body=json|html|text|none retry-after=..
//                           header=Name:Value ...]   `_` in a message stands for a blank
//               ok header=Name:Value ...    served well, with such headers (so every other 200)
//               early=401 [at=0.1] [...]    as status, while the upload is still coming
//               redirect=307 to=http://other/
//               html | json | empty | magic 200 with such a body, billed
//               truncate=0.5 framing=length|short|none|chunked
//                           that share of the answer, then closed: under its true Content-Length,
//                           under a Content-Length of what is sent, without one, as cut chunks
//               chunked | close-delimited   whole, so framed
//               slow [bytes=1 ms=100]       trickled
//               endless                     chunks that never end
//               big-headers [bytes=200000]  a whole answer behind such headers
//               hang                        no answer, connection open
//               stall-upload [at=0.5]       stops reading the body there
//               no-continue                 ignores Expect: 100-continue
//               partial                     206 with a whole body
//               swap                        the answer to another input
//               id                          a foreign X-Request-Id and Idempotency-Key echo
//               delay ms=500                served well, so much later
//   retry-after  seconds, `date:SECONDS` from now as an HTTP-date, or any other text as it is
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.hpp"

namespace millrace::test {

enum class FaultKind {
  None,
  Reset,
  CloseAfterUpload,
  Status,
  Early,
  Redirect,
  Html,
  Json,
  Empty,
  Magic,
  Truncate,
  Chunked,
  CloseDelimited,
  Slow,
  Endless,
  BigHeaders,
  Hang,
  StallUpload,
  NoContinue,
  Partial,
  Swap,
  ForeignId,
  Delay
};

struct Fault {
  FaultKind kind = FaultKind::None;
  std::string name;   // as in the script
  std::string value;  // what stands behind the fault's own `=`
  std::map<std::string, std::string> arguments;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string text(const std::string& argument, const std::string& otherwise) const;
  double number(const std::string& argument, double otherwise) const;
};

class FaultScript {
 public:
  // Input with the number of the line that is wrong.
  static Result<FaultScript> parse(std::string_view script, std::uint64_t seed);

  // `seq` and `attempt` (POSTs under this key so far, this one included) count from 1.
  Fault pick(std::uint64_t seq, std::uint64_t attempt, std::string_view key);

 private:
  struct Range {
    std::uint64_t from = 0, to = 0;
  };
  struct Rule {
    std::optional<Range> seq, attempt;
    std::optional<std::uint64_t> every, times;
    std::optional<double> chance;
    std::string key;
    Fault fault;
  };
  static bool take_condition(Rule& rule, const std::string& name, const std::string& value);

  std::vector<Rule> rules_;
  std::mt19937_64 random_;
};

}  // namespace millrace::test
