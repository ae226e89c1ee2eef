#include "agent/deliver/shared_names.hpp"

#include <algorithm>
#include <utility>

#include "agent/deliver/naming.hpp"
#include "platform/base/text.hpp"

namespace millrace {

SharedNames::SharedNames(std::string_view output, Sink sink)
    : by_stem_(output == "{stem}.{to}"),
      by_name_(output == "{name}.{to}"),
      sink_(std::move(sink)) {}

Result<void> SharedNames::add(Candidate source) {
  if (!last_.empty() && source.name <= last_)
    return fail(ErrorKind::Configuration,
                "the listing is not in the order of its keys: " + printable(source.name, 300) +
                    " comes after " + printable(last_, 300));
  last_ = source.name;
  if (!by_stem_) {
    sink_(std::move(source), by_name_ ? NameUse::Alone : NameUse::Doubtful);
    return {};
  }
  close_bases(last_);
  const std::string_view stem = without_extension(last_);
  // What it might get as its second choice; others that want it are longer names and come later.
  if (stem.size() < last_.size()) base(last_).sources = 1;
  Base& own = base(stem);
  if (own.sources == 0) {
    own.sources = 1;
    own.first = std::move(source);
    return {};
  }
  own.sources = 2;
  if (own.first) {
    sink_(std::move(*own.first), NameUse::Doubtful);
    own.first.reset();
  }
  sink_(std::move(source), NameUse::Doubtful);
  return {};
}

void SharedNames::finish() {
  for (; !open_.empty(); open_.pop_back())
    if (open_.back().first) sink_(*std::move(open_.back().first), NameUse::Alone);
}

std::size_t SharedNames::waiting() const { return open_.size(); }

void SharedNames::close_bases(std::string_view name) {
  for (; !open_.empty() && !name.starts_with(open_.back().text); open_.pop_back())
    if (open_.back().first) sink_(*std::move(open_.back().first), NameUse::Alone);
}

SharedNames::Base& SharedNames::base(std::string_view text) {
  const auto at = std::ranges::lower_bound(open_, text.size(), {},
                                           [](const Base& one) { return one.text.size(); });
  if (at != open_.end() && at->text == text) return *at;
  return *open_.insert(at, Base{std::string(text), 0, {}});
}

}  // namespace millrace
