#include "platform/host/event_log_windows.hpp"

#include <windows.h>

#include "platform/base/wide_windows.hpp"

namespace millrace {
namespace {

constexpr const wchar_t* kSource = L"Millrace";
constexpr const wchar_t* kKey =
    L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\Millrace";
constexpr std::size_t kMostCharacters = 30'000;  // ReportEventW takes 31,839

std::unexpected<Error> cannot(std::string what, LSTATUS code) {
  return windows_failure(ErrorKind::Environment, std::move(what), static_cast<DWORD>(code));
}

}  // namespace

Result<void> register_event_source(const std::filesystem::path& program) {
  HKEY key = nullptr;
  LSTATUS code = ::RegCreateKeyExW(HKEY_LOCAL_MACHINE, kKey, 0, nullptr, 0, KEY_SET_VALUE, nullptr,
                                   &key, nullptr);
  if (code != ERROR_SUCCESS) return cannot("register the source of events", code);
  const std::wstring file = program.wstring();
  const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  code = ::RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ,
                          reinterpret_cast<const BYTE*>(file.c_str()),
                          static_cast<DWORD>((file.size() + 1) * sizeof(wchar_t)));
  if (code == ERROR_SUCCESS) {
    code = ::RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD,
                            reinterpret_cast<const BYTE*>(&types), sizeof types);
  }
  ::RegCloseKey(key);
  if (code != ERROR_SUCCESS) return cannot("register the source of events", code);
  return {};
}

Result<void> remove_event_source() {
  const LSTATUS code = ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, kKey);
  if (code == ERROR_SUCCESS || code == ERROR_FILE_NOT_FOUND) return {};
  return cannot("remove the source of events", code);
}

EventLog::EventLog() : source_(::RegisterEventSourceW(nullptr, kSource)) {}

EventLog::~EventLog() {
  if (source_ != nullptr) ::DeregisterEventSource(source_);
}

void EventLog::write(EventLevel level, std::string_view text) {
  if (source_ == nullptr) return;
  std::wstring wide = to_wide(text);
  if (wide.size() > kMostCharacters) wide.resize(kMostCharacters);
  const wchar_t* line = wide.c_str();
  // The number of an event is that of its text in program_windows.rc.
  const bool error = level == EventLevel::Error;
  ::ReportEventW(source_, error ? EVENTLOG_ERROR_TYPE : EVENTLOG_WARNING_TYPE, 0, error ? 1 : 2,
                 nullptr, 1, 0, &line, nullptr);
}

EventText::int_type EventText::overflow(int_type c) {
  if (!traits_type::eq_int_type(c, traits_type::eof())) text_ += traits_type::to_char_type(c);
  return traits_type::not_eof(c);
}

std::streamsize EventText::xsputn(const char* text, std::streamsize size) {
  text_.append(text, static_cast<std::size_t>(size));
  return size;
}

int EventText::sync() {
  if (!text_.ends_with('\n')) return 0;
  log_.write(EventLevel::Error, std::string_view(text_).substr(0, text_.size() - 1));
  text_.clear();
  return 0;
}

}  // namespace millrace
