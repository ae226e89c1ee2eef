// What lies between SQLite and the disk, and forgets what was not synced: for tests of what a power
// cut leaves of a ledger. Files are real ones; what of them is durable is kept here.
// https://www.sqlite.org/vfs.html
#pragma once

#include <memory>

#include "tests/support/power.hpp"

namespace millrace::test {

// What becomes of the writes since a file's last sync. A disk may keep any of them.
enum class Unwritten {
  Lost,
  Torn,       // the first half of them is kept, and half of the next one
  Scattered,  // every other one is kept
  Kept,
};

// SQLite's default VFS for as long as it lives; one at a time. Every write, truncation, sync,
// creation and removal of a database, a WAL or a rollback journal asks `power` first.
// A file that is there when it is opened for the first time is durable. A new name is durable when
// SQLite's own VFS syncs the directory: with the first sync of a new journal or WAL, or with a
// removal that asks for it (os_unix.c: unixSync, unixDelete). In truth nothing is synced, which
// makes thousands of cuts affordable.
class ForgetfulDatabase {
 public:
  explicit ForgetfulDatabase(Power& power);
  ~ForgetfulDatabase();
  ForgetfulDatabase(const ForgetfulDatabase&) = delete;
  ForgetfulDatabase& operator=(const ForgetfulDatabase&) = delete;

  // Forgets; names that are not durable are lost unless all is kept. Every connection is closed.
  void cut_power(Unwritten what);
  // From now on a sync says that it was done and does nothing: for controls.
  void lie_about_syncs();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace millrace::test
