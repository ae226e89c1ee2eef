// A machine on which the agent takes one file the whole way, from the inbox to what happens to the
// source, and whose power can go at any moment: the real ledger, source, outbox, dispatcher, job
// and recovery upon a file system and a database that forget, and an API that does not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "agent/ledger/ledger.hpp"
#include "agent/pipeline/folder.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"
#include "tests/fs/forgetful_file_system.hpp"
#include "tests/ledger/forgetful_database.hpp"
#include "tests/pipeline/booked_converter.hpp"
#include "tests/support/power.hpp"
#include "tests/support/scratch.hpp"

namespace millrace::test {

// When somebody puts another version at the source's name.
enum class Replaced { Never, WhileSent, AfterBilled };
enum class Answer { Result, Refusal, CutShortOnce };
enum class LedgerBefore { Exists, None };

struct JobPlan {
  AfterSuccess after = AfterSuccess::Keep;
  Answer answer = Answer::Result;  // a refused file goes into quarantine
  Replaced replaced = Replaced::Never;
  LedgerBefore ledger = LedgerBefore::Exists;
  std::vector<std::string> targets{"webp"};
};

// What the disks keep of unsynced things.
struct Kept {
  Cut files;
  Unwritten database = Unwritten::Lost;
};

class WholeJob {
 public:
  explicit WholeJob(const JobPlan& plan);

  // The n-th change from now, of a file, of the ledger or in the world outside, does not happen.
  void lose_power_at(std::uint64_t n);
  bool power_is_off() const { return power_.is_off(); }
  std::uint64_t changes() const { return power_.spent(); }
  // Starts the agent, which recovers and works until nothing is left to do or the power is gone.
  void run();
  // The disks forget, and the power is back.
  void cut_power(const Kept& kept);

  // What must hold whenever the power comes back, before the agent is started.
  void check_safe();
  // What must hold when the agent has come to an end without a cut.
  void check_finished();
  // What did not hold, for people; empty if all is well.
  const std::vector<std::string>& problems() const { return problems_; }

  // Liars, for controls.
  ForgetfulFileSystem& files() { return files_; }
  ForgetfulDatabase& database() { return database_; }
  const Book& book() const { return book_; }

 private:
  struct Agent;

  void expect(bool holds, const std::string& what);
  void replace_source();
  void sync_outbox();
  std::unique_ptr<Agent> start_agent();
  void work(Agent& agent);
  std::vector<NewVersion> look_for_sources(Agent& agent);
  void check_ledger(Ledger& ledger);
  void check_outbox(bool finished);
  void check_source(const std::string& content);
  void check_shelf(const std::string& folder, const std::vector<Name>& wanted);
  std::vector<std::string> contents_of(const std::string& folder);
  bool has_all_results(const std::string& content);
  std::string latest() const;

  const JobPlan plan_;
  const Scratch scratch_;
  Power power_;
  ForgetfulFileSystem files_;
  ForgetfulDatabase database_{power_};
  ManualClock clock_;
  Book book_;
  bool was_replaced_ = false;
  bool loses_names_ = false;  // in a cut so far
  std::vector<std::string> problems_;
};

}  // namespace millrace::test
