#include "platform/fs/files_windows.hpp"

#include <algorithm>
#include <cstring>

#include "platform/fs/at_windows.hpp"
#include "platform/fs/crash_point.hpp"
#include "platform/fs/os_error.hpp"

namespace millrace {
namespace {

constexpr std::size_t kMostPerCall = std::size_t{1} << 30;  // a call counts in 32 bits

// The 128 bits of ReFS folded into 64; on NTFS the upper half is zero.
std::uint64_t fold(const FILE_ID_128& id) {
  std::uint64_t halves[2];
  static_assert(sizeof halves == sizeof id);
  std::memcpy(halves, &id, sizeof halves);
  return halves[0] ^ (halves[1] * 0x9E3779B97F4A7C15ULL);
}

class WindowsInputFile final : public InputFile {
 public:
  WindowsInputFile(Handle look, std::string name, VolumeTraits volume)
      : look_(std::move(look)), name_(std::move(name)), volume_(std::move(volume)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    if (auto opened = open_bytes(); !opened) return std::unexpected(opened.error());
    OVERLAPPED at{};
    at.Offset = static_cast<DWORD>(offset);
    at.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD got = 0;
    if (::ReadFile(bytes_.get(), into.data(),
                   static_cast<DWORD>(std::min(into.size(), kMostPerCall)), &got, &at))
      return got;
    if (::GetLastError() == ERROR_HANDLE_EOF) return 0;
    return last_failure("read " + name_);
  }

  Result<FileInfo> info() override { return info_of(look_.get(), name_, volume_); }

  // Opening it while denying others to write is refused if anybody has it open for writing. A
  // writer that comes between this call and the handle's end, a few microseconds, is refused in
  // turn: so the question is asked only when nothing else speaks for a writer any more.
  WriterPresence writer() override {
    const auto attributes = attributes_of(look_.get());
    if (!attributes || is_placeholder(*attributes)) return WriterPresence::Unknown;
    const Handle alone(
        ::ReOpenFile(look_.get(), FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, 0));
    if (!alone)
      return ::GetLastError() == ERROR_SHARING_VIOLATION ? WriterPresence::Open
                                                         : WriterPresence::Unknown;
    return volume_.sees_all_writers ? WriterPresence::None : WriterPresence::Unknown;
  }

  Result<void> open_bytes() {
    if (bytes_) return {};
    const auto attributes = attributes_of(look_.get());
    if (!attributes) return last_failure(name_);
    if (is_placeholder(*attributes)) return os_failure(placeholder_code(), "read " + name_);
    // Through the handle and not by name: it is the file that was looked at, and no link.
    bytes_ = Handle(::ReOpenFile(look_.get(), FILE_READ_DATA, kShareAll, 0));
    return bytes_ ? Result<void>{} : last_failure("open " + name_);
  }

 private:
  const Handle look_;
  Handle bytes_;
  const std::string name_;
  const VolumeTraits volume_;
};

class WindowsNewFile final : public NewFile {
 public:
  WindowsNewFile(Handle file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  Result<void> write(std::span<const std::byte> bytes) override {
    if (!file_) return closed();
    while (!bytes.empty()) {
      crash_point();
      DWORD wrote = 0;
      if (!::WriteFile(file_.get(), bytes.data(),
                       static_cast<DWORD>(std::min(bytes.size(), kMostPerCall)), &wrote, nullptr))
        return last_failure("write " + name_);
      bytes = bytes.subspan(wrote);
    }
    return {};
  }

  // FlushFileBuffers writes data and metadata and has the disk empty its cache. After it failed,
  // what the cache still holds is not known: a second one would mean nothing.
  Result<void> sync() override {
    if (!file_) return closed();
    if (sync_failed_)
      return fail(ErrorKind::Defect, "sync " + name_ + ": an earlier one failed; it is lost");
    crash_point();
    if (::FlushFileBuffers(file_.get())) return {};
    sync_failed_ = true;
    return last_failure("sync " + name_);
  }

  Result<void> close() override {
    if (!file_) return closed();
    crash_point();
    if (!::CloseHandle(file_.release())) return last_failure("close " + name_);
    return {};
  }

 private:
  Result<void> closed() const { return fail(ErrorKind::Defect, name_ + " is closed already"); }
  Handle file_;
  const std::string name_;
  bool sync_failed_ = false;
};

}  // namespace

std::optional<WindowsAttributes> attributes_of(HANDLE file) {
  FILE_ATTRIBUTE_TAG_INFO tagged{};
  if (!::GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tagged, sizeof tagged))
    return std::nullopt;
  return WindowsAttributes{tagged.FileAttributes, tagged.ReparseTag};
}

std::optional<FileIdentity> identity_of(HANDLE file) {
  FILE_ID_INFO wide{};
  if (::GetFileInformationByHandleEx(file, FileIdInfo, &wide, sizeof wide))
    return FileIdentity{wide.VolumeSerialNumber, fold(wide.FileId)};
  // FAT, and servers that know no more.
  BY_HANDLE_FILE_INFORMATION narrow{};
  if (!::GetFileInformationByHandle(file, &narrow)) return std::nullopt;
  return FileIdentity{narrow.dwVolumeSerialNumber,
                      std::uint64_t{narrow.nFileIndexHigh} << 32 | narrow.nFileIndexLow};
}

Result<FileInfo> info_of(HANDLE file, const std::string& name, const VolumeTraits& volume) {
  FILE_BASIC_INFO basic{};
  FILE_STANDARD_INFO standard{};
  const auto attributes = attributes_of(file);
  if (!attributes || !::GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof basic) ||
      !::GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof standard))
    return last_failure(name);
  FileInfo info;
  info.type = type_of(*attributes);
  info.size = static_cast<std::uint64_t>(standard.EndOfFile.QuadPart);
  info.mtime_ns = unix_ns_of(basic.LastWriteTime.QuadPart);
  info.changed_ns = unix_ns_of(basic.ChangeTime.QuadPart);
  info.links = standard.NumberOfLinks;
  info.placeholder = is_placeholder(*attributes);
  if (volume.stable_ids)
    if (const auto identity = identity_of(file)) info.file_id = identity->file;
  return info;
}

Result<std::unique_ptr<InputFile>> make_input_file(Handle look, std::string name,
                                                   const VolumeTraits& volume) {
  const auto attributes = attributes_of(look.get());
  if (!attributes) return last_failure(name);
  const bool is_here = !is_placeholder(*attributes);
  auto file = std::make_unique<WindowsInputFile>(std::move(look), std::move(name), volume);
  if (!is_here) return file;
  auto opened = file->open_bytes();
  if (!opened && opened.error().os_code != ERROR_SHARING_VIOLATION)
    return std::unexpected(opened.error());
  return file;
}

std::unique_ptr<NewFile> make_new_file(Handle file, std::string name) {
  return std::make_unique<WindowsNewFile>(std::move(file), std::move(name));
}

}  // namespace millrace
