// Files for one conversion, in a folder that belongs to one server.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "platform/base/result.hpp"
#include "platform/http/local_files.hpp"

namespace millrace::serve {

// Removes its file when it goes.
class ScratchFile {
 public:
  explicit ScratchFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Writes one new file and nothing that was there before.
class ScratchWriter {
 public:
  static Result<ScratchWriter> create(const std::filesystem::path& path);
  Result<void> write(std::string_view bytes);
  Result<void> close();

 private:
  CFile file_;
};

// Thread-safe.
class ScratchFolder {
 public:
  // Makes it (0700) and removes what an earlier server left in it: what has our names only.
  static Result<std::unique_ptr<ScratchFolder>> open(const std::filesystem::path& path);
  // shared_ptr: a cached answer and the sending of it both keep the file.
  std::shared_ptr<ScratchFile> name(std::string_view kind);  // nothing is made yet
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  std::atomic<std::uint64_t> next_{0};  // drawn by every dispatcher
};

}  // namespace millrace::serve
