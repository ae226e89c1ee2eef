// The event log of Windows, and our name in it.
#pragma once

#include <filesystem>
#include <streambuf>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"
#include "platform/host/service.hpp"

namespace millrace {

// Registers `Millrace` as a source of the application log, with the texts that lie in `program`.
Result<void> register_event_source(const std::filesystem::path& program);
// Nothing if it is not registered.
Result<void> remove_event_source();

// An open source. Any thread.
class EventLog {
 public:
  EventLog();
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;
  void write(EventLevel level, std::string_view text);

 private:
  void* source_;  // null if the log's service does not answer
};

// A stream's buffer whose text becomes one error event at each flush that ends a line.
class EventText final : public std::streambuf {
 public:
  explicit EventText(EventLog& log) : log_(log) {}

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* text, std::streamsize size) override;
  int sync() override;

 private:
  EventLog& log_;
  std::string text_;
};

}  // namespace millrace
