// The counts of each folder, and small things that the other parts of the core share.
#include "agent/ledger/ledger_core.hpp"
#include "platform/base/sha256.hpp"

namespace millrace {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

using sqlite::each_row;
using sqlite::Statement;

Result<void> LedgerCore::load_counts() {
  counts_.loaded(false);
  Statement& read = sql_[Sql::ReadCounts];
  read.bind();
  auto done = each_row(read, [&](const Statement& row) -> Result<void> {
    const auto state = job_state_from(row.view(1));
    if (!state) return std::unexpected(state.error());
    counts_.set(row.view(0), *state, row.integer(2));
    return {};
  });
  if (done) counts_.loaded(true);
  return done;
}

Result<void> LedgerCore::write_counts() {
  for (auto& [folder, states] : counts_.folders()) {
    for (const JobState state : kAllJobStates) {
      StateTally& one = states[static_cast<std::size_t>(state)];
      if (!one.changed) continue;
      Statement& write = sql_[Sql::WriteCount];
      write.bind(std::string_view(folder), to_string(state), one.count);
      if (auto ok = write.run(); !ok) return ok;
      one.changed = false;
    }
  }
  return {};
}

Result<Counts> LedgerCore::counts() {
  if (!counts_.loaded()) {
    if (auto loaded = load_counts(); !loaded) return std::unexpected(loaded.error());
  }
  Counts all;
  for (const auto& [folder, states] : counts_.folders()) {
    FolderCounts& sum = all[folder];
    for (const JobState state : kAllJobStates) {
      sum.of(state) += states[static_cast<std::size_t>(state)].count;
    }
  }
  return all;
}

Result<void> LedgerCore::set_action(SourceRowId row, std::string_view action, std::int64_t acted) {
  Statement& update = sql_[Sql::SetAction];
  update.bind(action, acted, row);
  return update.run();
}

Result<void> LedgerCore::set_action_if_none(SourceRowId row, std::string_view action,
                                            std::int64_t acted) {
  Statement& update = sql_[Sql::SetActionIfNone];
  update.bind(action, acted, row);
  return update.run();
}

std::string digest_to_bytes(std::string_view hex) {
  constexpr std::size_t kDigits = 64;
  if (hex.size() != kDigits) return std::string(hex);
  std::string bytes(kDigits / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::string(hex);
    bytes[i] = static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string digest_to_hex(std::string_view bytes) {
  constexpr std::size_t kBytes = 32;
  if (bytes.size() != kBytes) return std::string(bytes);
  return to_hex(std::as_bytes(std::span(bytes)));
}

}  // namespace millrace
