#include "tests/ledger/forgetful_database.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/scratch.hpp"

namespace millrace::test {
namespace {

struct Change {  // a write, or a truncation to `offset`
  std::size_t offset = 0;
  std::string bytes;
  bool truncates = false;
};

struct Inode {
  std::string synced;
  std::vector<Change> since;
};

struct Name {
  std::shared_ptr<Inode> now, durable;  // shared: a file may lose its name while it is open
};

void make(const Change& change, std::string& content) {
  if (change.truncates) {
    content.resize(std::min(content.size(), change.offset));
    return;
  }
  content.resize(std::max(content.size(), change.offset + change.bytes.size()));
  content.replace(change.offset, change.bytes.size(), change.bytes);
}

void forget(Inode& inode, Unwritten what) {
  const std::size_t half = inode.since.size() / 2;
  for (std::size_t i = 0; i < inode.since.size(); ++i) {
    Change& change = inode.since[i];
    const bool kept = what == Unwritten::Kept || (what == Unwritten::Torn && i <= half) ||
                      (what == Unwritten::Scattered && i % 2 == 1);
    if (!kept) continue;
    if (what == Unwritten::Torn && i == half) change.bytes.resize(change.bytes.size() / 2);
    make(change, inode.synced);
  }
  inode.since.clear();
}

}  // namespace

struct ForgetfulDatabase::State {
  explicit State(Power& mains) : power(mains) {}

  Power& power;
  sqlite3_vfs* below = nullptr;
  sqlite3_vfs vfs = {};
  std::mutex mutex;
  std::map<std::string, Name> names;
  bool lies = false;

  // Of a file that is about to be opened.
  std::shared_ptr<Inode> find(const std::string& path, bool is_there) {
    const std::lock_guard lock(mutex);
    Name& name = names[path];
    if (!is_there) {
      name.now = std::make_shared<Inode>();
    } else if (!name.now) {
      name.now = name.durable = std::make_shared<Inode>(Inode{read_file(path), {}});
    }
    return name.now;
  }
  void sync_names() {
    for (auto& [path, name] : names) name.durable = name.now;
  }
};

namespace {

using State = ForgetfulDatabase::State;

struct Open {
  State& state;
  std::shared_ptr<Inode> inode;  // null: a file that need not last
  bool names_due = false;        // the next sync is to sync the directory, too
  std::vector<std::max_align_t> memory = {};
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(memory.data()); }
};

struct Handle {
  sqlite3_file base;
  Open* open;
};

Open& open_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->open; }
sqlite3_file* real(sqlite3_file* file) { return open_of(file).real(); }
const sqlite3_io_methods& below(sqlite3_file* file) { return *real(file)->pMethods; }
bool may_change(const Open& open) { return !open.inode || open.state.power.spend(); }

int close_file(sqlite3_file* file) {
  const std::unique_ptr<Open> open(&open_of(file));
  return open->real()->pMethods->xClose(open->real());
}

int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  Open& open = open_of(file);
  if (!may_change(open)) return SQLITE_IOERR_WRITE;
  const int code = below(file).xWrite(real(file), bytes, count, offset);
  if (code != SQLITE_OK || !open.inode) return code;
  const std::lock_guard lock(open.state.mutex);
  open.inode->since.push_back({static_cast<std::size_t>(offset),
                               {static_cast<const char*>(bytes), static_cast<std::size_t>(count)}});
  return code;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  Open& open = open_of(file);
  if (!may_change(open)) return SQLITE_IOERR_TRUNCATE;
  const int code = below(file).xTruncate(real(file), size);
  if (code != SQLITE_OK || !open.inode) return code;
  const std::lock_guard lock(open.state.mutex);
  open.inode->since.push_back({static_cast<std::size_t>(size), {}, true});
  return code;
}

int sync(sqlite3_file* file, int) {
  Open& open = open_of(file);
  if (!may_change(open)) return SQLITE_IOERR_FSYNC;
  if (!open.inode) return SQLITE_OK;
  const std::lock_guard lock(open.state.mutex);
  if (open.state.lies) return SQLITE_OK;
  forget(*open.inode, Unwritten::Kept);
  if (std::exchange(open.names_due, false)) open.state.sync_names();
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    2,  // no xFetch: nothing is mapped
    close_file,
    [](sqlite3_file* f, void* into, int n, sqlite3_int64 at) {
      return below(f).xRead(real(f), into, n, at);
    },
    write,
    truncate,
    sync,
    [](sqlite3_file* f, sqlite3_int64* size) { return below(f).xFileSize(real(f), size); },
    [](sqlite3_file* f, int level) { return below(f).xLock(real(f), level); },
    [](sqlite3_file* f, int level) { return below(f).xUnlock(real(f), level); },
    [](sqlite3_file* f, int* held) { return below(f).xCheckReservedLock(real(f), held); },
    [](sqlite3_file* f, int what, void* arg) { return below(f).xFileControl(real(f), what, arg); },
    [](sqlite3_file* f) { return below(f).xSectorSize(real(f)); },
    [](sqlite3_file* f) { return below(f).xDeviceCharacteristics(real(f)); },
    [](sqlite3_file* f, int page, int size, int extend, void volatile** at) {
      return below(f).xShmMap(real(f), page, size, extend, at);
    },
    [](sqlite3_file* f, int at, int n, int flags) {
      return below(f).xShmLock(real(f), at, n, flags);
    },
    [](sqlite3_file* f) { below(f).xShmBarrier(real(f)); },
    [](sqlite3_file* f, int remove) { return below(f).xShmUnmap(real(f), remove); },
    nullptr,
    nullptr};

State& state_of(sqlite3_vfs* vfs) { return *static_cast<State*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags,
              int* out_flags) {
  file->pMethods = nullptr;  // nothing to close
  State& state = state_of(vfs);
  constexpr int kLasting = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  const bool lasts = name != nullptr && (flags & kLasting) != 0;
  const bool is_there = lasts && std::filesystem::exists(name);
  const bool makes = lasts && !is_there && (flags & SQLITE_OPEN_CREATE) != 0;
  if (makes && !state.power.spend()) return SQLITE_CANTOPEN;
  auto open = std::make_unique<Open>(Open{state, nullptr});
  open->memory.resize(static_cast<std::size_t>(state.below->szOsFile) / sizeof(std::max_align_t) +
                      1);
  const int code = state.below->xOpen(state.below, name, open->real(), flags, out_flags);
  if (code != SQLITE_OK) {
    if (open->real()->pMethods != nullptr) open->real()->pMethods->xClose(open->real());
    return code;
  }
  if (lasts) open->inode = state.find(name, is_there);
  open->names_due = makes && (flags & SQLITE_OPEN_MAIN_DB) == 0;
  reinterpret_cast<Handle*>(file)->open = open.release();
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

int remove_file(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  State& state = state_of(vfs);
  if (!state.power.spend()) return SQLITE_IOERR_DELETE;
  const int code = state.below->xDelete(state.below, path, 0);
  const std::lock_guard lock(state.mutex);
  if (code == SQLITE_OK) state.names[path].now = nullptr;
  if (sync_directory != 0 && !state.lies) state.sync_names();
  return code;
}

}  // namespace

ForgetfulDatabase::ForgetfulDatabase(Power& power) : state_(std::make_unique<State>(power)) {
  state_->below = sqlite3_vfs_find(nullptr);
  state_->vfs = *state_->below;  // the other calls are the real one's own
  state_->vfs.zName = "forgetful";
  state_->vfs.szOsFile = sizeof(Handle);
  state_->vfs.pAppData = state_.get();
  state_->vfs.xOpen = open_file;
  state_->vfs.xDelete = remove_file;
  sqlite3_vfs_register(&state_->vfs, 1);
}

ForgetfulDatabase::~ForgetfulDatabase() {
  sqlite3_vfs_unregister(&state_->vfs);
  sqlite3_vfs_register(state_->below, 1);
}

void ForgetfulDatabase::cut_power(Unwritten what) {
  const std::lock_guard lock(state_->mutex);
  for (auto& [path, name] : state_->names) {
    if (what != Unwritten::Kept) name.now = name.durable;
    name.durable = name.now;
    // Shared memory is memory.
    std::filesystem::remove(path + "-shm");
    if (!name.now) {
      std::filesystem::remove(path);
      continue;
    }
    forget(*name.now, what);
    write_file(path, name.now->synced);
  }
}

void ForgetfulDatabase::lie_about_syncs() {
  const std::lock_guard lock(state_->mutex);
  state_->lies = true;
}

}  // namespace millrace::test
