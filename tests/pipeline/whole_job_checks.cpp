#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/deliver/naming.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/atomic_file.hpp"
#include "tests/fs/each_file_system.hpp"
#include "tests/pipeline/whole_job.hpp"
#include "tests/pipeline/whole_job_names.hpp"

namespace millrace::test {
namespace {

using Names = std::vector<std::string>;

std::string output_name(const std::string& target) { return "a." + target; }

std::string hash_of(const std::string& content) { return to_hex(sha256(content)); }

std::string text_of(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += " " + name;
  return text;
}

}  // namespace

void WholeJob::expect(bool holds, const std::string& what) {
  if (!holds) problems_.push_back(what);
}

std::string WholeJob::latest() const { return was_replaced_ ? kSecond : kFirst; }

// Of a folder that may not be there; temporary files left out.
std::vector<std::string> WholeJob::contents_of(const std::string& folder) {
  std::vector<std::string> contents;
  auto directory = files_.open_directory(folder);
  if (!directory) return contents;
  for (const std::string& name : names_in(**directory))
    if (!temporary_owner(name)) contents.push_back(get(**directory, name));
  return contents;
}

bool WholeJob::has_all_results(const std::string& content) {
  auto outbox = files_.open_directory(kOutbox).value();
  return std::ranges::all_of(plan_.targets, [&](const std::string& target) {
    return outbox->info(output_name(target)) &&
           get(*outbox, output_name(target)) == result_of(hash_of(content), target);
  });
}

void WholeJob::check_safe() {
  check_outbox(false);
  // The first version is nobody's duty once somebody has put another in its place.
  check_source(latest());
}

// Nothing but whole results under final names.
void WholeJob::check_outbox(bool finished) {
  auto outbox = files_.open_directory(kOutbox).value();
  Names wanted;
  if (plan_.answer != Answer::Refusal)
    for (const std::string& target : plan_.targets) wanted.push_back(output_name(target));
  std::ranges::sort(wanted);
  const Names names = names_in(*outbox);
  for (const std::string& name : names) {
    if (temporary_owner(name)) continue;
    const std::string content = get(*outbox, name);
    const std::string target = name.substr(name.find('.') + 1);
    const bool whole = content == result_of(hash_of(kFirst), target) ||
                       content == result_of(hash_of(kSecond), target);
    expect(whole && std::ranges::binary_search(wanted, name),
           "in the outbox: " + name + " of " + std::to_string(content.size()) + " bytes");
  }
  if (!finished) return;
  expect(names == wanted, "the outbox holds at the end:" + text_of(names));
  expect(plan_.answer == Answer::Refusal || has_all_results(latest()),
         "a result is not of the last version");
}

void WholeJob::check_source(const std::string& content) {
  const auto is_in = [&](const std::string& folder) {
    return std::ranges::count(contents_of(folder), content) > 0;
  };
  if (is_in(kInbox)) return;
  const bool refused = plan_.answer == Answer::Refusal;
  expect(refused || has_all_results(content), "the source left its inbox before its results came");
  if (refused)
    expect(is_in(kQuarantine), "the source is lost, and it is not in quarantine");
  else if (plan_.after == AfterSuccess::Archive)
    expect(is_in(kArchive), "the source is lost, and it is not in the archive");
  else
    expect(plan_.after == AfterSuccess::Delete, "a source that was to be kept is gone");
}

void WholeJob::check_finished() {
  check_outbox(true);
  check_source(latest());
  const bool refused = plan_.answer == Answer::Refusal;
  const auto names = [&](const std::string& folder) {
    auto directory = files_.open_directory(folder);
    return directory ? names_in(**directory) : Names{};
  };
  const bool stays = !refused && plan_.after == AfterSuccess::Keep;
  const bool archived = !refused && plan_.after == AfterSuccess::Archive;
  expect(names(kInbox) == (stays ? Names{kSource} : Names{}), "inbox:" + text_of(names(kInbox)));
  check_shelf(kArchive, archived ? Names{kSource} : Names{});
  check_shelf(kQuarantine, refused ? Names{kSource, kSource + ".error.json"} : Names{});
  if (refused) {
    auto directory = files_.open_directory(kQuarantine);
    const auto note = nlohmann::json::parse(
        directory ? get(**directory, kSource + ".error.json") : "", nullptr, false);
    expect(!note.is_discarded() && note.value("reason", "") == "it is no picture",
           "the note is not whole");
  }
  // Each version that was sent whole is billed once for each target, under one key.
  const std::size_t versions = plan_.replaced == Replaced::AfterBilled ? 2 : 1;
  expect(book_.billed.size() == (refused ? 0 : versions * plan_.targets.size()),
         std::to_string(book_.billed.size()) + " conversions were billed");
  expect(book_.mismatches == 0, "a key came with other bytes");
}

// A disk may keep the new name of a rename between two directories and lose the removal of the old
// one. The file, which then has both, is shelved again.
void WholeJob::check_shelf(const std::string& folder, const Names& wanted) {
  auto directory = files_.open_directory(folder);
  Names names = directory ? names_in(**directory) : Names{};
  if (loses_names_) std::erase_if(names, [](const Name& name) { return name.contains(" (2)"); });
  expect(names == wanted, folder + ":" + text_of(names));
}

void WholeJob::check_ledger(Ledger& ledger) {
  const auto counts = ledger.counts();
  const auto pending = ledger.pending_source_actions();
  expect(counts && pending, "the ledger does not answer");
  if (!counts || !pending) return;
  expect(pending->empty(), "the ledger does not know what became of the source");
  const auto found = counts->find(kFolder);
  const FolderCounts of = found == counts->end() ? FolderCounts{} : found->second;
  expect(of.waiting == 0 && of.converting == 0, "the ledger says that work is left");
  const bool refused = plan_.answer == Answer::Refusal;
  expect(refused ? of.failed >= 1 && of.delivered == 0
                 : of.failed == 0 && of.delivered >= std::ssize(plan_.targets),
         "the ledger counts " + std::to_string(of.delivered) + " delivered, " +
             std::to_string(of.failed) + " failed");
  if (refused) return;
  for (const std::string& target : plan_.targets) {
    const auto output = ledger.output_at(kOutbox, fold_name(output_name(target)));
    const std::string result = result_of(hash_of(latest()), target);
    expect(output && *output && (*output)->sha256 == hash_of(result) &&
               (*output)->size == result.size(),
           "the ledger does not know the result as ours");
  }
}

}  // namespace millrace::test
