#include "tests/fs/forgetful_file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <system_error>
#include <type_traits>
#include <vector>

#include "platform/base/mutex.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace::test {
namespace {

struct Node;
using NodePtr = std::shared_ptr<Node>;  // shared: a file may have its name lost while it is open

struct Node {
  FileType type = FileType::Regular;
  std::uint64_t id = 0;
  std::int64_t mtime = 0;
  std::int64_t ctime = 0;
  int writers = 0;
  std::string bytes, synced_bytes;
  std::map<std::string, NodePtr> names, synced_names;
};

// The codes of POSIX, whatever the system.
std::unexpected<Error> os_failure(int code, std::string_view what) {
  auto kind = ErrorKind::Environment;
  if (code == ENOENT || code == ENOTDIR) kind = ErrorKind::Vanished;
  if (code == EEXIST) kind = ErrorKind::Exists;
  if (code == ELOOP || code == EISDIR) kind = ErrorKind::Input;
  return fail(kind, std::string(what) + ": " + std::generic_category().message(code), code);
}

std::string name_from_root(const std::filesystem::path& path) {
  std::string text = path.lexically_normal().relative_path().generic_string();
  while (text.ends_with('/')) text.pop_back();
  return text == "." ? "" : text;
}

void forget(Node& node, Cut cut) {
  if (node.type == FileType::Regular && cut.bytes != Unsynced::Kept) {
    const std::size_t known = node.synced_bytes.size();
    const bool only_grew = node.bytes.starts_with(node.synced_bytes);
    const std::size_t half = known + (node.bytes.size() - std::min(known, node.bytes.size())) / 2;
    if (cut.bytes == Unsynced::Half && only_grew)
      node.bytes.resize(half);
    else
      node.bytes = node.synced_bytes;
  }
  node.synced_bytes = node.bytes;
  if (cut.names != Unsynced::Kept) node.names = node.synced_names;
  node.synced_names = node.names;
  for (auto& [name, below] : node.names) forget(*below, cut);
}

}  // namespace

struct ForgetfulFileSystem::State {
  Mutex mutex;
  NodePtr root GUARDED_BY(mutex);
  std::uint64_t generation GUARDED_BY(mutex) = 1;
  std::uint64_t operations GUARDED_BY(mutex) = 0;
  std::uint64_t fail_at GUARDED_BY(mutex) = 0;
  int fail_code GUARDED_BY(mutex) = 0;
  Happens fail_happens GUARDED_BY(mutex) = Happens::No;
  std::uint64_t dark_at GUARDED_BY(mutex) = std::numeric_limits<std::uint64_t>::max();
  Power* power GUARDED_BY(mutex) = nullptr;
  bool directories_lie GUARDED_BY(mutex) = false;
  std::uint64_t next_id GUARDED_BY(mutex) = 2;
  std::int64_t tick GUARDED_BY(mutex) = 1'000'000'000;
  std::uint64_t used GUARDED_BY(mutex) = 0;
  std::uint64_t capacity GUARDED_BY(mutex) = std::uint64_t{1} << 40;

  NodePtr make_node(FileType type) REQUIRES(mutex) {
    auto node = std::make_shared<Node>();
    node->type = type;
    node->id = next_id++;
    node->mtime = node->ctime = ++tick;
    return node;
  }

  bool is_dark() const REQUIRES(mutex) {
    return operations >= dark_at || (power != nullptr && power->is_off());
  }
  Result<void> alive(std::uint64_t since) const REQUIRES(mutex) {
    if (since != generation) return os_failure(EIO, "power was cut");
    if (is_dark()) return os_failure(EIO, "no power");
    return {};
  }

  // Numbers one state-changing call and does it, unless a fault was asked for.
  template <typename Work>
  std::invoke_result_t<Work> change(std::uint64_t since, const std::string& what, Work work)
      REQUIRES(mutex) {
    if (auto ok = alive(since); !ok) return std::unexpected(ok.error());
    ++operations;
    if (is_dark() || (power != nullptr && !power->spend())) return os_failure(EIO, "no power");
    if (operations != fail_at) return work();
    if (fail_happens == Happens::Yes) static_cast<void>(work());
    return os_failure(fail_code, what);
  }
};

namespace {

using State = ForgetfulFileSystem::State;

FileInfo to_info(const Node& node) {
  return {node.type, node.bytes.size(), node.mtime, node.ctime, node.id, 1};
}

Result<NodePtr> find(const NodePtr& root, std::string_view name) {
  if (name.empty()) return root;
  NodePtr here = root;
  for (const std::string_view part : split_name(name)) {
    if (here->type == FileType::Symlink) return os_failure(ELOOP, name);
    if (here->type != FileType::Directory) return os_failure(ENOTDIR, name);
    const auto found = here->names.find(std::string(part));
    if (found == here->names.end()) return os_failure(ENOENT, name);
    here = found->second;
  }
  return here;
}

Result<NodePtr> find_directory(const NodePtr& root, std::string_view name) {
  auto node = find(root, name);
  if (!node) return node;
  if ((*node)->type == FileType::Symlink) return os_failure(ELOOP, name);
  if ((*node)->type != FileType::Directory) return os_failure(ENOTDIR, name);
  return node;
}

class MemoryInput final : public InputFile {
 public:
  MemoryInput(std::shared_ptr<State> state, NodePtr node) : state_(state), node_(node) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const MutexLock lock(state_->mutex);
    if (offset >= node_->bytes.size()) return 0;
    const auto piece = node_->bytes.substr(offset, into.size());
    std::ranges::copy(std::as_bytes(std::span(piece)), into.begin());
    return piece.size();
  }
  Result<FileInfo> info() override {
    const MutexLock lock(state_->mutex);
    return to_info(*node_);
  }
  WriterPresence writer() override {
    const MutexLock lock(state_->mutex);
    return node_->writers > 0 ? WriterPresence::Open : WriterPresence::None;
  }

 private:
  std::shared_ptr<State> state_;
  NodePtr node_;
};

class MemoryNew final : public NewFile {
 public:
  MemoryNew(std::shared_ptr<State> state, NodePtr node, std::uint64_t since)
      : state_(state), node_(node), since_(since) {}
  ~MemoryNew() override {
    const MutexLock lock(state_->mutex);
    if (!closed_) --node_->writers;
  }

  Result<void> write(std::span<const std::byte> bytes) override {
    const MutexLock lock(state_->mutex);
    if (closed_) return fail(ErrorKind::Defect, "closed");
    return state_->change(since_, "write", [&]() NO_THREAD_SAFETY_ANALYSIS -> Result<void> {
      if (state_->used + bytes.size() > state_->capacity) return os_failure(ENOSPC, "write");
      state_->used += bytes.size();
      node_->bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      node_->mtime = node_->ctime = ++state_->tick;
      return {};
    });
  }

  // As Linux has it: a failed sync marks the bytes clean, and a later one would lie.
  Result<void> sync() override {
    const MutexLock lock(state_->mutex);
    if (closed_ || sync_failed_) return fail(ErrorKind::Defect, "sync");
    auto synced = state_->change(since_, "sync", [&]() -> Result<void> {
      node_->synced_bytes = node_->bytes;
      return {};
    });
    sync_failed_ = !synced;
    return synced;
  }

  Result<void> close() override {
    const MutexLock lock(state_->mutex);
    if (closed_) return fail(ErrorKind::Defect, "closed");
    closed_ = true;
    --node_->writers;
    return state_->change(since_, "close", []() -> Result<void> { return {}; });
  }

 private:
  std::shared_ptr<State> state_;
  NodePtr node_;
  const std::uint64_t since_;
  bool closed_ = false;
  bool sync_failed_ = false;
};

class MemoryDirectory final : public Directory {
 public:
  MemoryDirectory(std::shared_ptr<State> state, NodePtr node, std::filesystem::path path,
                  std::uint64_t since)
      : state_(state), node_(node), path_(std::move(path)), since_(since) {}

  Result<FileInfo> info(const std::string& name) override {
    if (auto valid = check_relative_name(name); !valid) return std::unexpected(valid.error());
    const MutexLock lock(state_->mutex);
    if (auto ok = state_->alive(since_); !ok) return std::unexpected(ok.error());
    auto node = find(node_, name);
    if (!node) return std::unexpected(node.error());
    return to_info(**node);
  }

  Result<std::unique_ptr<InputFile>> open(const std::string& name) override {
    if (auto valid = check_relative_name(name); !valid) return std::unexpected(valid.error());
    const MutexLock lock(state_->mutex);
    if (auto ok = state_->alive(since_); !ok) return std::unexpected(ok.error());
    auto node = find(node_, name);
    if (!node) return std::unexpected(node.error());
    if ((*node)->type != FileType::Regular) return fail(ErrorKind::Input, name);
    return std::make_unique<MemoryInput>(state_, *node);
  }

  Result<void> list(const std::string& directory,
                    const std::function<Visit(const Entry&)>& visit) override {
    std::vector<Entry> entries;
    {
      const MutexLock lock(state_->mutex);
      if (auto ok = state_->alive(since_); !ok) return ok;
      auto node = find_directory(node_, directory);
      if (!node) return std::unexpected(node.error());
      for (const auto& [leaf, below] : (*node)->names)
        entries.push_back({join_name(directory, leaf), below->type, {}});
    }
    for (Entry& entry : entries) {
      entry.info = [&] { return info(entry.name); };
      if (visit(entry) == Visit::Stop) break;
    }
    return {};
  }

  Result<std::unique_ptr<NewFile>> create(const std::string& name, Access) override {
    if (auto valid = check_relative_name(name); !valid) return std::unexpected(valid.error());
    using Created = Result<std::unique_ptr<NewFile>>;
    const MutexLock lock(state_->mutex);
    return state_->change(since_, name, [&]() NO_THREAD_SAFETY_ANALYSIS -> Created {
      auto parent = find_directory(node_, parent_of(name));
      if (!parent) return std::unexpected(parent.error());
      auto file = state_->make_node(FileType::Regular);
      if (!(*parent)->names.emplace(leaf_of(name), file).second) return os_failure(EEXIST, name);
      ++file->writers;
      return std::make_unique<MemoryNew>(state_, file, since_);
    });
  }

  Result<void> make_directories(const std::string& name) override {
    if (name.empty()) return {};
    if (auto valid = check_relative_name(name); !valid) return valid;
    std::string made;
    for (const std::string_view part : split_name(name)) {
      const std::string above = made;
      made = join_name(made, part);
      auto is_new = make_one(above, std::string(part));
      if (!is_new) return std::unexpected(is_new.error());
      if (!*is_new) continue;
      if (auto synced = sync_directory(above); !synced) return synced;
    }
    return {};
  }

  Result<void> publish(const std::string& from, const std::string& to) override {
    return move(from, to, Happens::No);
  }
  Result<void> replace(const std::string& from, const std::string& to) override {
    return move(from, to, Happens::Yes);
  }

  Result<void> remove(const std::string& name) override {
    if (auto valid = check_relative_name(name); !valid) return valid;
    const MutexLock lock(state_->mutex);
    return state_->change(since_, name, [&]() -> Result<void> {
      auto node = find(node_, name);
      if (!node) return std::unexpected(node.error());
      if ((*node)->type == FileType::Directory) return os_failure(EISDIR, name);
      (*find(node_, parent_of(name)))->names.erase(std::string(leaf_of(name)));
      return {};
    });
  }

  Result<void> sync_directory(const std::string& directory) override {
    const MutexLock lock(state_->mutex);
    return state_->change(since_, directory, [&]() NO_THREAD_SAFETY_ANALYSIS -> Result<void> {
      auto node = find_directory(node_, directory);
      if (!node) return std::unexpected(node.error());
      if (!state_->directories_lie) (*node)->synced_names = (*node)->names;
      return {};
    });
  }

  Result<Space> space() override {
    const MutexLock lock(state_->mutex);
    if (auto ok = state_->alive(since_); !ok) return std::unexpected(ok.error());
    const auto most = std::numeric_limits<std::uint64_t>::max();
    return Space{state_->capacity - state_->used, state_->capacity, most};
  }

  Result<bool> takes_files(const std::string& directory) override {
    if (auto checked = directory.empty() ? Result<void>{} : check_relative_name(directory);
        !checked)
      return std::unexpected(checked.error());
    const MutexLock lock(state_->mutex);
    if (auto ok = state_->alive(since_); !ok) return std::unexpected(ok.error());
    auto node = find_directory(node_, directory);
    if (!node) return std::unexpected(node.error());
    return true;
  }

  Result<bool> still_there() override {
    const MutexLock lock(state_->mutex);
    if (auto ok = state_->alive(since_); !ok) return std::unexpected(ok.error());
    auto node = find(state_->root, name_from_root(path_));
    return node && *node == node_;
  }

  const std::string& mount_kind() const override { return mount_kind_; }
  const std::filesystem::path& path() const override { return path_; }

 private:
  Result<bool> make_one(const std::string& above, const std::string& leaf) {
    const MutexLock lock(state_->mutex);
    auto parent = find_directory(node_, above);
    if (!parent) return std::unexpected(parent.error());
    const auto found = (*parent)->names.find(leaf);
    if (found != (*parent)->names.end()) {
      if (found->second->type == FileType::Directory) return false;
      return os_failure(EEXIST, leaf);
    }
    return state_->change(since_, leaf, [&]() NO_THREAD_SAFETY_ANALYSIS -> Result<bool> {
      (*parent)->names.emplace(leaf, state_->make_node(FileType::Directory));
      return true;
    });
  }

  Result<void> move(const std::string& from, const std::string& to, Happens replaces) {
    for (const auto* name : {&from, &to})
      if (auto valid = check_relative_name(*name); !valid) return valid;
    const MutexLock lock(state_->mutex);
    auto moved = find(node_, from);
    auto changed = state_->change(
        since_, to, [&]() NO_THREAD_SAFETY_ANALYSIS { return move_now(from, to, replaces); });
    // The same second look as the real one: a call that reports an error may have been done.
    auto arrived = find(node_, to);
    if (!changed && moved && arrived && *arrived == *moved && !find(node_, from)) return {};
    return changed;
  }

  Result<void> move_now(const std::string& from, const std::string& to,
                        Happens replaces) NO_THREAD_SAFETY_ANALYSIS {
    auto node = find(node_, from);
    if (!node) return std::unexpected(node.error());
    auto parent = find_directory(node_, parent_of(to));
    if (!parent) return std::unexpected(parent.error());
    const std::string leaf(leaf_of(to));
    const auto taken = (*parent)->names.find(leaf);
    if (taken != (*parent)->names.end()) {
      if (replaces == Happens::No) return os_failure(EEXIST, to);
      if (taken->second->type == FileType::Directory) return os_failure(EISDIR, to);
    }
    (*find(node_, parent_of(from)))->names.erase(std::string(leaf_of(from)));
    (*parent)->names[leaf] = *node;
    (*node)->ctime = ++state_->tick;
    return {};
  }

  std::shared_ptr<State> state_;
  NodePtr node_;
  const std::filesystem::path path_;
  const std::uint64_t since_;
  const std::string mount_kind_ = "memory";
};

}  // namespace

ForgetfulFileSystem::ForgetfulFileSystem() : state_(std::make_shared<State>()) {
  const MutexLock lock(state_->mutex);
  state_->root = state_->make_node(FileType::Directory);
}
ForgetfulFileSystem::~ForgetfulFileSystem() = default;

Result<std::unique_ptr<Directory>> ForgetfulFileSystem::open_directory(
    const std::filesystem::path& path) {
  const MutexLock lock(state_->mutex);
  if (state_->is_dark()) return os_failure(EIO, "no power");
  auto node = find_directory(state_->root, name_from_root(path));
  if (!node) return std::unexpected(node.error());
  return std::make_unique<MemoryDirectory>(state_, *node, path, state_->generation);
}

Result<std::unique_ptr<Directory>> ForgetfulFileSystem::make_directory(
    const std::filesystem::path& path) {
  auto root = open_directory("/");
  if (!root) return root;
  if (auto made = (*root)->make_directories(name_from_root(path)); !made)
    return std::unexpected(made.error());
  return open_directory(path);
}

std::uint64_t ForgetfulFileSystem::operations() const {
  const MutexLock lock(state_->mutex);
  return state_->operations;
}

void ForgetfulFileSystem::fail_at(std::uint64_t n, int os_code, Happens happens) {
  const MutexLock lock(state_->mutex);
  state_->fail_at = state_->operations + n;
  state_->fail_code = os_code;
  state_->fail_happens = happens;
}

void ForgetfulFileSystem::lose_power_at(std::uint64_t n) {
  const MutexLock lock(state_->mutex);
  state_->dark_at = state_->operations + n;
}

void ForgetfulFileSystem::draw_from(Power& power) {
  const MutexLock lock(state_->mutex);
  state_->power = &power;
}

void ForgetfulFileSystem::lie_about_directories() {
  const MutexLock lock(state_->mutex);
  state_->directories_lie = true;
}

void ForgetfulFileSystem::cut_power(Cut cut) {
  const MutexLock lock(state_->mutex);
  forget(*state_->root, cut);
  ++state_->generation;
  state_->dark_at = std::numeric_limits<std::uint64_t>::max();
}

void ForgetfulFileSystem::set_capacity(std::uint64_t bytes) {
  const MutexLock lock(state_->mutex);
  state_->capacity = bytes;
}

void ForgetfulFileSystem::plant(const std::filesystem::path& path, FileType type) {
  const MutexLock lock(state_->mutex);
  const std::string name = name_from_root(path);
  auto parent = find_directory(state_->root, parent_of(name));
  if (parent) (*parent)->names[std::string(leaf_of(name))] = state_->make_node(type);
}

void ForgetfulFileSystem::move_away(const std::filesystem::path& path) {
  const MutexLock lock(state_->mutex);
  const std::string name = name_from_root(path);
  auto parent = find_directory(state_->root, parent_of(name));
  if (parent) (*parent)->names.erase(std::string(leaf_of(name)));
}

}  // namespace millrace::test
