#include "agent/settle/quiet_rules.hpp"

#include <algorithm>
#include <array>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Formats that hold one image and that are written in one go. PDF and TIFF are not among them:
// scanners append to them page by page.
constexpr std::array<std::string_view, 26> kSingleImageTypes{
    "jpg", "jpeg", "jpe", "png", "gif", "bmp", "webp", "heic", "heif", "avif", "jxl", "jp2", "psd",
    "svg", "ico",  "tga", "ppm", "pgm", "pbm", "pnm",  "cr2",  "cr3",  "nef",  "arw", "orf", "raf"};

bool holds_single_image(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || name.find('/', dot) != std::string_view::npos) return false;
  const std::string extension = to_lower_ascii(name.substr(dot + 1));
  return std::ranges::find(kSingleImageTypes, extension) != kSingleImageTypes.end();
}

enum class Where { Local, Remote, Anywhere };
enum class What { SingleImage, Other, Anything };

struct Row {
  Evidence why;
  Where where;
  What what;
  bool writer_unknown;  // the row is for a probe that cannot say whether there is a writer
  Duration quiet;
  std::string_view words;
};

constexpr auto kClosedSingle = "its last writer closed it";
constexpr auto kClosedPages = "its last writer closed it, but more pages may follow";
constexpr auto kNoClose = "no writer was seen to close it";
constexpr auto kNoProof = "nothing proves that no program is still writing it";
constexpr auto kRemote = "on a network share or FUSE, where changes are seen late";

// The first row that fits. A close seen on a share is only that of this machine's own writers, so
// it counts no more than a poll there.
constexpr std::array kRows{
    Row{Evidence::Moved, Where::Anywhere, What::Anything, false, seconds{0}, "moved into place"},
    Row{Evidence::Moved, Where::Anywhere, What::Anything, true, seconds{0}, "moved into place"},
    Row{Evidence::Closed, Where::Local, What::SingleImage, false, milliseconds{300}, kClosedSingle},
    Row{Evidence::Closed, Where::Local, What::SingleImage, true, milliseconds{300}, kClosedSingle},
    Row{Evidence::Closed, Where::Local, What::Other, false, seconds{2}, kClosedPages},
    Row{Evidence::Closed, Where::Local, What::Other, true, seconds{2}, kClosedPages},
    Row{Evidence::Closed, Where::Remote, What::Anything, false, seconds{5}, kRemote},
    Row{Evidence::Closed, Where::Remote, What::Anything, true, seconds{5}, kRemote},
    Row{Evidence::Written, Where::Local, What::Anything, false, milliseconds{500}, kNoClose},
    Row{Evidence::Written, Where::Local, What::Anything, true, seconds{2}, kNoProof},
    Row{Evidence::Written, Where::Remote, What::Anything, false, seconds{5}, kRemote},
    Row{Evidence::Written, Where::Remote, What::Anything, true, seconds{5}, kRemote},
    Row{Evidence::Found, Where::Local, What::Anything, false, milliseconds{500}, kNoClose},
    Row{Evidence::Found, Where::Local, What::Anything, true, seconds{2}, kNoProof},
    Row{Evidence::Found, Where::Remote, What::Anything, false, seconds{5}, kRemote},
    Row{Evidence::Found, Where::Remote, What::Anything, true, seconds{5}, kRemote},
};

const Row& row_for(const SettleRules& rules, std::string_view name, Evidence why,
                   WriterTest writer) {
  const Where where = rules.nature == RootNature::Remote ? Where::Remote : Where::Local;
  const What what = holds_single_image(name) ? What::SingleImage : What::Other;
  return *std::ranges::find_if(kRows, [&](const Row& row) {
    return row.why == why && (row.where == where || row.where == Where::Anywhere) &&
           (row.what == what || row.what == What::Anything) &&
           row.writer_unknown == (writer == WriterTest::Unknown);
  });
}

Duration learnt(const SettleRules& rules, Evidence why) {
  return why == Evidence::Moved ? rules.learnt_quiet_moved : rules.learnt_quiet;
}

}  // namespace

Duration quiet_time(const SettleRules& rules, std::string_view name, Evidence why,
                    WriterTest writer) {
  if (rules.fixed_quiet) return *rules.fixed_quiet;
  Duration quiet = row_for(rules, name, why, writer).quiet;
  if (rules.nature == RootNature::Remote && why != Evidence::Moved) {
    quiet = std::max(quiet, 2 * rules.poll_every);
  }
  return std::max(quiet, learnt(rules, why));
}

std::string_view quiet_reason(const SettleRules& rules, std::string_view name, Evidence why,
                              WriterTest writer) {
  if (rules.fixed_quiet) return "the time that the folder's settings ask for";
  const Row& row = row_for(rules, name, why, writer);
  if (learnt(rules, why) > row.quiet) return "this folder was once too early";
  return row.words;
}

bool counts_as_old(const SettleRules& rules, Evidence why, Duration change_age) {
  return why == Evidence::Found && rules.nature != RootNature::Remote && !rules.fixed_quiet &&
         change_age > std::max(kOld, rules.learnt_quiet);
}

}  // namespace millrace
