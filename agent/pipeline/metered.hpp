// The file calls of a job, seen by the meter of the folder that they are made on.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "agent/deliver/outbox.hpp"
#include "agent/job/source.hpp"
#include "agent/pipeline/io_meter.hpp"

namespace millrace {

// Seen by the outbox's meter while it writes.
class MeteredFile final : public OutputFile {
 public:
  MeteredFile(OutputFile& file, IoMeter& meter, std::size_t worker)
      : file_(file), meter_(meter), worker_(worker) {}

  const Name& temporary_name() const override { return file_.temporary_name(); }
  Result<void> write(std::span<const std::byte> bytes) override {
    return meter_.timed(worker_, [&] { return file_.write(bytes); });
  }
  Result<void> finish() override {
    return meter_.timed(worker_, [&] { return file_.finish(); });
  }
  Result<OutputIdentity> commit(const std::optional<OutputIdentity>& replaces) override {
    return meter_.timed(worker_, [&] { return file_.commit(replaces); });
  }
  void keep() override { file_.keep(); }

 private:
  OutputFile& file_;
  IoMeter& meter_;
  std::size_t worker_;
};

// Seen by the inbox's meter while it reads, however long the whole file takes.
class MeteredReader final : public SourceReader {
 public:
  MeteredReader(std::unique_ptr<SourceReader> reader, IoMeter& meter, std::size_t worker)
      : reader_(std::move(reader)), meter_(meter), worker_(worker) {}

  Result<std::size_t> read(std::span<std::byte> into) override {
    return meter_.timed(worker_, [&] { return reader_->read(into); });
  }
  std::uint64_t size() const override { return reader_->size(); }
  Result<void> rewind() override { return reader_->rewind(); }
  Result<void> check_unchanged() override {
    return meter_.timed(worker_, [&] { return reader_->check_unchanged(); });
  }
  Result<SourceLink> link(std::chrono::seconds life) override {
    return meter_.timed(worker_, [&] { return reader_->link(life); });
  }
  std::string content_name() const override { return reader_->content_name(); }

 private:
  const std::unique_ptr<SourceReader> reader_;
  IoMeter& meter_;
  const std::size_t worker_;
};

}  // namespace millrace
