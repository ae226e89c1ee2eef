#include "agent/deliver/missing_results.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/deliver/naming.hpp"

namespace millrace {
namespace {

// Before the name, and near: without its last character, so that it stays UTF-8.
Name before(const Name& name) {
  std::size_t end = name.size() - 1;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return name.substr(0, end);
}

}  // namespace

MissingResults::MissingResults(SourceListing& sources, ResultListing& results, WalkRules rules,
                               Choose choose)
    : sources_(sources),
      rules_(std::move(rules)),
      choose_(std::move(choose)),
      windows_(rules_.to.size(), Window(results)),
      shared_(rules_.output, [this](Candidate source, NameUse use) {
        (use == NameUse::Alone ? handful_ : found_).push_back(std::move(source));
      }) {}

Result<std::vector<Candidate>> MissingResults::next() {
  while (found_.empty() && !ended_) {
    if (auto filled = fill(); !filled) return std::unexpected(filled.error());
    if (auto chosen = choose(); !chosen) return std::unexpected(chosen.error());
    for (std::size_t i = 0; i < rules_.to.size(); ++i) {
      auto kept = keep_missing(rules_.to[i], windows_[i]);
      if (!kept) return std::unexpected(kept.error());
    }
    handful_.clear();
  }
  return std::exchange(found_, {});
}

Result<void> MissingResults::fill() {
  while (handful_.size() + found_.size() < rules_.sources_held) {
    auto page = sources_.next_page();
    if (!page) return std::unexpected(page.error());
    if (page->empty()) {
      ended_ = true;
      shared_.finish();
      return {};
    }
    for (Candidate& source : *page)
      if (auto added = shared_.add(std::move(source)); !added) return added;
  }
  return {};
}

// Those that are not wanted go; those that are wanted in any case go from the handful to what was
// found.
Result<void> MissingResults::choose() {
  auto doubtful = choose_(found_);
  if (!doubtful) return std::unexpected(doubtful.error());
  auto alone = choose_(handful_);
  if (!alone) return std::unexpected(alone.error());
  std::vector<Candidate> wanted, open;
  for (std::size_t i = 0; i < found_.size(); ++i)
    if ((*doubtful)[i] != Wanted::No) wanted.push_back(std::move(found_[i]));
  for (std::size_t i = 0; i < handful_.size(); ++i)
    if ((*alone)[i] != Wanted::No)
      ((*alone)[i] == Wanted::Yes ? wanted : open).push_back(std::move(handful_[i]));
  found_ = std::move(wanted);
  handful_ = std::move(open);
  return {};
}

// What has no result of this format goes from the handful to what was found.
Result<void> MissingResults::keep_missing(const std::string& to, Window& window) {
  std::vector<std::pair<Name, std::size_t>> wanted;
  wanted.reserve(handful_.size());
  for (std::size_t i = 0; i < handful_.size(); ++i)
    wanted.emplace_back(output_name({rules_.output, handful_[i].name, to}, 0), i);
  std::ranges::sort(wanted);
  std::vector<bool> missing(handful_.size(), false);
  for (const auto& [name, i] : wanted) {
    const auto there = window.holds(name);
    if (!there) return std::unexpected(there.error());
    missing[i] = !*there;
  }
  std::vector<Candidate> done;
  for (std::size_t i = 0; i < handful_.size(); ++i)
    (missing[i] ? found_ : done).push_back(std::move(handful_[i]));
  handful_ = std::move(done);
  return {};
}

bool MissingResults::Window::covers(const Name& name) const {
  if (!asked_ || name <= behind_) return false;
  return page_.is_last || name <= page_.names.back();
}

Result<bool> MissingResults::Window::holds(const Name& name) {
  if (!covers(name)) {
    // What lies up to the end of this page is known.
    const bool on = asked_ && name > behind_;
    Name from = on ? std::max(page_.names.back(), before(name)) : before(name);
    do {
      auto page = results_.page_behind(from);
      if (!page) return std::unexpected(page.error());
      if (page->names.empty() && !page->is_last)
        return fail(ErrorKind::Transient, "a page of the listing is empty and not the last");
      asked_ = true;
      behind_ = std::move(from);
      page_ = std::move(*page);
      if (!page_.names.empty()) from = page_.names.back();
    } while (!covers(name));
  }
  return std::ranges::binary_search(page_.names, name);
}

}  // namespace millrace
