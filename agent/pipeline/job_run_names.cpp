// Which name a result gets, and what lies there already.
#include <utility>

#include "agent/deliver/naming.hpp"
#include "agent/pipeline/job_run.hpp"

namespace millrace {
namespace {

// The second choice is taken only by a source that looks like another's result, so that the first
// few suffice but for a person's odd names.
constexpr int kFirstChoices = 4;
constexpr int kAllChoices = 20;

}  // namespace

std::vector<NameChoice> JobRun::choices(int most) const {
  const NameRequest request{folder_.settings.output, job_.candidate.name, job_.target};
  std::vector<NameChoice> choices;
  for (Name& name : output_names(request, most)) {
    std::string folded = fold_name(name);
    choices.push_back({std::move(name), std::move(folded)});
  }
  return choices;
}

Result<std::optional<OutputIdentity>> JobRun::find_output(const Name& name) {
  outbox_failed_ = true;
  auto found = folder_.outbox_io.timed(worker_, [&] { return outbox_->find(name); });
  // Input, and a folder in it that cannot be entered, are trouble of this name only.
  const auto place = [&] { return outbox_->check_place(name); };
  outbox_failed_ = !found && found.error().kind != ErrorKind::Input &&
                   folder_.outbox_io.timed(worker_, place).has_value();
  return found;
}

// A file that is seen for the first time gets its first choice, which is reserved together with the
// attempt, unless something is there or somebody was faster.
JobRun::Step JobRun::look_for_output() {
  const bool first_time = job_.output_name.empty() && !job_.has_other_versions;
  if (first_time) {
    auto wishes = choices(2);
    auto found = find_output(wishes.front().name);
    if (!found) return std::unexpected(found.error());
    if (!*found) {
      output_name_ = wishes.front().name;
      to_reserve_ = std::move(wishes.front());
      return std::nullopt;
    }
    auto looked = claim_unrecorded(wishes.back());
    if (!looked) return std::unexpected(looked.error());
  }
  if (output_name_.empty())
    if (Step ended = choose_name(); !ended || *ended) return ended;
  return look_at_what_is_there();
}

// A result of ours without a record (the ledger was lost), or a stranger's. What lies at the first
// choice may be of another source that wanted it too, of a.tif for a.png; what lies at the second,
// a.png.webp, is its own.
Result<void> JobRun::claim_unrecorded(const NameChoice& second) {
  const auto found = find_output(second.name);
  if (!found && found.error().kind != ErrorKind::Input) return std::unexpected(found.error());
  if (!found || !*found) return {};
  auto name = tools_.ledger.reserve_name(job_.id, outbox_->id(), std::span(&second, 1));
  if (!name && name.error().kind != ErrorKind::Exists) return std::unexpected(name.error());
  if (name) output_name_ = std::move(*name);
  return {};
}

Result<Name> JobRun::reserve_one_of(int most) {
  return tools_.ledger.reserve_name(job_.id, outbox_->id(), choices(most));
}

JobRun::Step JobRun::choose_name() {
  auto name = reserve_one_of(kFirstChoices);
  if (!name && name.error().kind == ErrorKind::Exists) name = reserve_one_of(kAllChoices);
  if (!name) return std::unexpected(name.error());
  output_name_ = std::move(*name);
  return std::nullopt;
}

JobRun::Step JobRun::look_at_what_is_there() {
  auto found = find_output(output_name_);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  auto ours = tools_.ledger.output_at(outbox_->id(), fold_name(output_name_));
  if (!ours) return std::unexpected(ours.error());
  ours_before_ = std::move(*ours);
  const bool unchanged = ours_before_ && ours_before_->size == (*found)->size &&
                         ours_before_->version == (*found)->version;
  if (!unchanged) return skipped("the output exists");
  if (ours_before_->source_version == job_.candidate.version) return skipped("already converted");
  if (folder_.settings.changed == WhenChanged::Skip) {
    return skipped("an older version was converted (changed = \"skip\")");
  }
  replaces_ = std::move(*found);
  return std::nullopt;
}

}  // namespace millrace
