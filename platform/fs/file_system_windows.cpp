#include <windows.h>
#include <winternl.h>

#include <array>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "platform/base/long_path_windows.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/owner_only_windows.hpp"
#include "platform/base/text.hpp"
#include "platform/fs/at_windows.hpp"
#include "platform/fs/beneath_windows.hpp"
#include "platform/fs/crash_point.hpp"
#include "platform/fs/file_system.hpp"
#include "platform/fs/files_windows.hpp"
#include "platform/fs/os_error.hpp"
#include "platform/fs/path_text.hpp"
#include "platform/fs/publish_windows.hpp"
#include "platform/fs/windows_facts.hpp"

namespace millrace {
namespace {

std::unexpected<Error> not_regular(const std::string& name) {
  return fail(ErrorKind::Input, printable(name) + " is no regular file");
}

// Shares refuse to flush a directory, and say so with one of these; what they can promise for
// names they have promised with the rename.
bool cannot_sync_directories(DWORD code) {
  return code == ERROR_INVALID_FUNCTION || code == ERROR_NOT_SUPPORTED ||
         code == ERROR_INVALID_PARAMETER || code == ERROR_ACCESS_DENIED;
}

// NTFS keeps names in a log that is written in order; flushing a directory that is open for
// writing writes the log out to where the directory's last change stands (NtFlushBuffersFile).
Result<void> sync_opened(HANDLE directory, const std::string& name) {
  crash_point();
  if (::FlushFileBuffers(directory) || cannot_sync_directories(::GetLastError())) return {};
  return last_failure("sync directory " + name);
}

// Makes a directory, or is content with one that is there. True if it made one.
Result<bool> make_one(HANDLE above, const std::wstring& leaf, const std::string& name) {
  crash_point();
  OpenAt how;
  how.disposition = FILE_CREATE;
  how.options = FILE_DIRECTORY_FILE;
  const auto made = open_at(above, leaf, how);
  if (made) return true;
  const auto found = open_at(above, leaf, {});
  const auto attributes = found ? attributes_of(found->get()) : std::nullopt;
  if (attributes && type_of(*attributes) == FileType::Directory) return false;
  if (attributes) return os_failure(ERROR_ALREADY_EXISTS, name);
  return os_failure(static_cast<int>(made.error()), name);
}

class WindowsDirectory final : public Directory {
 public:
  WindowsDirectory(Handle directory, std::filesystem::path given, std::filesystem::path canonical,
                   VolumeTraits volume, std::string mount_kind)
      : directory_(std::move(directory)),
        given_(std::move(given)),
        path_(std::move(canonical)),
        volume_(std::move(volume)),
        mount_kind_(std::move(mount_kind)),
        identity_(identity_of(directory_.get())) {}

  Result<FileInfo> info(const std::string& name) override {
    auto file = look_at(name);
    if (!file) return std::unexpected(file.error());
    return info_of(file->get(), name, volume_);
  }

  Result<std::unique_ptr<InputFile>> open(const std::string& name) override {
    auto file = look_at(name);
    if (!file) return std::unexpected(file.error());
    const auto attributes = attributes_of(file->get());
    if (!attributes) return last_failure(name);
    if (type_of(*attributes) != FileType::Regular) return not_regular(name);
    return make_input_file(std::move(*file), name, volume_);
  }

  // By the handle: std::filesystem of mingw-w64 ends a listing early where a path is longer than
  // 260 units, and says nothing.
  Result<void> list(const std::string& name,
                    const std::function<Visit(const Entry&)>& visit) override {
    auto directory = open_directory_beneath(directory_.get(), name);
    if (!directory) return std::unexpected(directory.error());
    alignas(FILE_ID_BOTH_DIR_INFO) std::array<std::byte, 65536> buffer;
    auto wanted = FileIdBothDirectoryRestartInfo;
    while (::GetFileInformationByHandleEx(directory->get(), wanted, buffer.data(), buffer.size())) {
      wanted = FileIdBothDirectoryInfo;
      for (const std::byte* at = buffer.data();;) {
        const auto* found = reinterpret_cast<const FILE_ID_BOTH_DIR_INFO*>(at);
        if (visit_one(*found, name, visit) == Visit::Stop) return {};
        if (found->NextEntryOffset == 0) break;
        at += found->NextEntryOffset;
      }
    }
    const DWORD code = ::GetLastError();
    // A volume's own root without any entry says that there is no file.
    if (code == ERROR_NO_MORE_FILES || code == ERROR_FILE_NOT_FOUND) return {};
    return os_failure(static_cast<int>(code), "list " + name);
  }

  Result<std::unique_ptr<NewFile>> create(const std::string& name, Access access) override {
    auto place = Place::find(directory_.get(), name);
    if (!place) return std::unexpected(place.error());
    OpenAt how;
    how.access = FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES | FILE_READ_ATTRIBUTES;
    how.share = FILE_SHARE_READ | FILE_SHARE_DELETE;
    how.disposition = FILE_CREATE;
    how.options = FILE_NON_DIRECTORY_FILE;
    static OwnerOnly owner_only;
    if (access == Access::OwnerOnly) how.security = owner_only.get()->lpSecurityDescriptor;
    crash_point();
    auto file = open_at(place->directory(), place->leaf(), how);
    if (file) return make_new_file(std::move(*file), name);
    const bool is_taken = file.error() == kIsDirectory || file.error() == ERROR_DELETE_PENDING ||
                          open_at(place->directory(), place->leaf(), {}).has_value();
    return os_failure(static_cast<int>(is_taken ? ERROR_FILE_EXISTS : file.error()),
                      "create " + name);
  }

  Result<void> make_directories(const std::string& name) override {
    if (name.empty()) return {};
    if (auto checked = check_windows_name(name); !checked) return checked;
    std::string made;
    for (const std::string_view part : split_name(name)) {
      const std::string above = made;
      made = join_name(made, part);
      auto parent = open_directory_beneath(directory_.get(), above);
      if (!parent) return std::unexpected(parent.error());
      auto is_new = make_one(parent->get(), *wide_name(part), made);
      if (!is_new) return std::unexpected(is_new.error());
      if (!*is_new) continue;
      if (auto synced = sync_directory(above); !synced) return synced;
    }
    return {};
  }

  Result<void> publish(const std::string& from, const std::string& to) override {
    return move(from, to, IfTaken::Refuse);
  }

  Result<void> replace(const std::string& from, const std::string& to) override {
    return move(from, to, IfTaken::Replace);
  }

  Result<void> remove(const std::string& name) override {
    auto place = Place::find(directory_.get(), name);
    if (!place) return std::unexpected(place.error());
    return remove_at(place->directory(), place->leaf(), "remove " + name);
  }

  Result<void> sync_directory(const std::string& name) override {
    // Where nothing may be added nothing was.
    auto directory = open_directory_beneath(directory_.get(), name, FILE_ADD_FILE);
    if (!directory) {
      if (directory.error().os_code == ERROR_ACCESS_DENIED) return {};
      return std::unexpected(directory.error());
    }
    return sync_opened(directory->get(), name.empty() ? path_text(path_) : name);
  }

  Result<Space> space() override {
    ULARGE_INTEGER ours{}, total{}, free{};
    const std::wstring path = verbatim(path_) + L"\\";
    if (!::GetDiskFreeSpaceExW(path.c_str(), &ours, &total, &free))
      return last_failure(path_text(path_));
    Space space;
    space.free_bytes = ours.QuadPart;
    space.total_bytes = total.QuadPart;
    space.free_inodes = std::numeric_limits<std::uint64_t>::max();
    return space;
  }

  Result<bool> takes_files(const std::string& name) override {
    if (!volume_.writable) return false;
    auto directory = open_directory_beneath(directory_.get(), name, FILE_ADD_FILE);
    if (directory) return true;
    if (directory.error().os_code == ERROR_ACCESS_DENIED) return false;
    return std::unexpected(directory.error());
  }

  Result<bool> still_there() override {
    const Handle found(::CreateFileW(verbatim(given_).c_str(), FILE_READ_ATTRIBUTES, kShareAll,
                                     nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    if (found) return identity_of(found.get()) == identity_;
    const Error error = os_error(static_cast<int>(::GetLastError()), path_text(given_));
    if (error.kind == ErrorKind::Vanished) return false;
    return std::unexpected(error);
  }

  const std::string& mount_kind() const override { return mount_kind_; }
  const std::filesystem::path& path() const override { return path_; }

 private:
  // With so little access it conflicts with nobody, and no bytes are fetched.
  Result<Handle> look_at(const std::string& name) {
    auto place = Place::find(directory_.get(), name);
    if (!place) return std::unexpected(place.error());
    auto file = open_at(place->directory(), place->leaf(), {});
    if (!file) return os_failure(static_cast<int>(file.error()), name);
    return std::move(*file);
  }

  Visit visit_one(const FILE_ID_BOTH_DIR_INFO& found, const std::string& directory,
                  const std::function<Visit(const Entry&)>& visit) {
    const std::wstring_view leaf(found.FileName, found.FileNameLength / sizeof(wchar_t));
    if (leaf == L"." || leaf == L"..") return Visit::Continue;
    // The tag stands where the size of extended attributes would: MS-FSCC, 2.4.17.
    const WindowsAttributes attributes{found.FileAttributes, found.EaSize};
    const std::string name = join_name(directory, name_text(leaf));
    return visit({name, type_of(attributes), [&] { return info(name); }});
  }

  Result<void> move(const std::string& from, const std::string& to, IfTaken if_taken) {
    auto source = Place::find(directory_.get(), from);
    if (!source) return std::unexpected(source.error());
    auto target = Place::find(directory_.get(), to);
    if (!target) return std::unexpected(target.error());
    return move_at(source->directory(), source->leaf(), target->directory(), target->leaf(),
                   if_taken, to);
  }

  const Handle directory_;
  const std::filesystem::path given_;
  const std::filesystem::path path_;
  const VolumeTraits volume_;
  const std::string mount_kind_;
  const std::optional<FileIdentity> identity_;
};

// With links resolved and short names made long; as given where the system cannot tell (some
// drivers of RAM disks, and Wine for long paths).
std::wstring final_path_of(HANDLE directory, const std::wstring& given) {
  std::wstring path(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length =
        ::GetFinalPathNameByHandleW(directory, path.data(), static_cast<DWORD>(path.size()), 0);
    if (length == 0) return given;
    const bool fits = length < path.size();  // else it is the size that would do
    path.resize(length);
    if (fits) return path;
  }
}

bool is_on_a_share(const std::filesystem::path& canonical) {
  if (canonical.native().starts_with(L"\\\\")) return true;
  return ::GetDriveTypeW(canonical.root_path().c_str()) == DRIVE_REMOTE;
}

VolumeTraits traits_of(HANDLE directory, const std::filesystem::path& canonical) {
  std::array<wchar_t, MAX_PATH + 1> name{};
  DWORD flags = 0;
  ::GetVolumeInformationByHandleW(directory, nullptr, 0, nullptr, nullptr, &flags, name.data(),
                                  name.size());
  VolumeTraits traits;
  traits.name = name_text(name.data());
  const bool is_share = is_on_a_share(canonical);
  traits.stable_ids = !is_share && (traits.name == "NTFS" || traits.name == "ReFS");
  traits.sees_all_writers = !is_share;
  traits.writable = (flags & FILE_READ_ONLY_VOLUME) == 0;
  return traits;
}

std::string mount_kind_of(const VolumeTraits& volume, const std::filesystem::path& canonical) {
  std::wstring mounted_at(canonical.native().size() + MAX_PATH, L'\0');
  const bool known = ::GetVolumePathNameW(canonical.c_str(), mounted_at.data(),
                                          static_cast<DWORD>(mounted_at.size()));
  mounted_at.resize(known ? std::wcslen(mounted_at.c_str()) : 0);
  const bool is_root = std::filesystem::path(mounted_at) == canonical / "";
  return volume.name + (is_root ? "/root" : "/below");
}

class WindowsFileSystem final : public FileSystem {
 public:
  // The path itself comes from the settings: links in it are the owner's and are followed.
  Result<std::unique_ptr<Directory>> open_directory(const std::filesystem::path& path) override {
    const std::string text = path_text(path);
    const std::wstring given = verbatim(path);
    Handle directory(::CreateFileW(given.c_str(), kDirectoryAccess | SYNCHRONIZE, kShareAll,
                                   nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    if (!directory) return last_failure("open " + text);
    const auto attributes = attributes_of(directory.get());
    if (!attributes) return last_failure(text);
    if (type_of(*attributes) != FileType::Directory) return os_failure(ERROR_DIRECTORY, text);
    auto canonical = without_prefix(final_path_of(directory.get(), given));
    auto volume = traits_of(directory.get(), canonical);
    auto kind = mount_kind_of(volume, canonical);
    return std::make_unique<WindowsDirectory>(std::move(directory), given, std::move(canonical),
                                              std::move(volume), std::move(kind));
  }

  Result<std::unique_ptr<Directory>> make_directory(const std::filesystem::path& path) override {
    const std::wstring wanted = without_prefix(verbatim(path)).native();
    const std::size_t root = root_length(wanted);
    std::filesystem::path here = wanted.substr(0, root);
    for (const auto& part : std::filesystem::path(wanted.substr(root))) {
      if (part.empty()) continue;
      if (auto made = make_beneath(here, part); !made) return std::unexpected(made.error());
      here /= part;
    }
    return open_directory(wanted);
  }

 private:
  static Result<void> make_beneath(const std::filesystem::path& above,
                                   const std::filesystem::path& leaf) {
    const auto path = verbatim(above / leaf);
    const DWORD found = ::GetFileAttributesW(path.c_str());
    if (found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY) != 0) return {};
    const std::string text = path_text(above / leaf);
    // In the root of a drive many may make folders and no files. It is enough to flush as well:
    // the same bit is FILE_APPEND_DATA.
    const Handle parent(::CreateFileW(verbatim(above).c_str(), FILE_ADD_SUBDIRECTORY, kShareAll,
                                      nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    if (!parent) return last_failure(text);
    auto made = make_one(parent.get(), leaf.native(), text);
    if (!made) return std::unexpected(made.error());
    return sync_opened(parent.get(), text);
  }
};

}  // namespace

FileSystem& real_file_system() {
  static WindowsFileSystem file_system;
  return file_system;
}

}  // namespace millrace
