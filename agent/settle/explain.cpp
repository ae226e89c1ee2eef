#include "agent/settle/explain.hpp"

#include <algorithm>
#include <array>

#include "agent/settle/quiet_rules.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

// "1.7 s", rounded up, so that it never says 0.0 while something is left.
std::string in_seconds(Duration time) {
  const auto tenths = std::max<std::int64_t>(0, (time.count() + 99'999'999) / 100'000'000);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

struct MarkOfType {
  std::string_view extension;
  std::string_view words;
};
constexpr std::array kEndMarks{
    MarkOfType{"pdf", "no %%EOF yet"},
    MarkOfType{"png", "no IEND chunk yet"},
    MarkOfType{"jpg", "no end-of-image yet"},
    MarkOfType{"jpeg", "no end-of-image yet"},
    MarkOfType{"gif", "no trailer byte yet"},
    MarkOfType{"tif", "its directory is not there yet"},
    MarkOfType{"tiff", "its directory is not there yet"},
};

std::string_view missing_mark(const Name& name) {
  const std::string lower = to_lower_ascii(name);
  const auto row = std::ranges::find_if(kEndMarks, [&](const MarkOfType& mark) {
    return lower.ends_with("." + std::string(mark.extension));
  });
  return row == kEndMarks.end() ? "its end is missing" : row->words;
}

std::string in_time(const WaitingFile& file, TimePoint now) {
  return file.out ? "looking now" : "looking again in " + in_seconds(file.due - now);
}

}  // namespace

std::string explain_waiting(const SettleRules& rules, const WaitingFile& file, TimePoint now) {
  const Duration quiet_for = now - file.changed_at;
  switch (file.phase) {
    case Phase::Quiet: {
      if (file.old) return "found complete by its age; about to be looked at";
      const Duration quiet = quiet_time(rules, *file.name, file.why, file.writer);
      return "waiting for " + in_seconds(quiet - quiet_for) + " more without change (" +
             std::string(quiet_reason(rules, *file.name, file.why, file.writer)) + ")";
    }
    case Phase::Probe:
      return "being looked at by its folder";
    case Phase::Writer:
      return "open for writing by another program; " + in_time(file, now);
    case Phase::EndMark:
      return "looks unfinished: " + std::string(missing_mark(*file.name)) + "; taken as it is in " +
             in_seconds(kEndMarkPatience - quiet_for) + " if nothing changes";
    case Phase::Marker:
      return "waiting for its ready marker; " + in_time(file, now);
    case Phase::Filled:
      return "empty; set aside after " +
             in_seconds(file.writer == WriterTest::None ? kEmptyPatience : kEmptyPatienceUnproven) +
             " without change";
    case Phase::Refused:
      return "cannot be read (" + (file.refusal ? printable(*file.refusal, 200) : "") + "); " +
             in_time(file, now);
  }
  return "waiting";
}

}  // namespace millrace
