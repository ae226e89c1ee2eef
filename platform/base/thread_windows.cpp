#include <windows.h>

#include "platform/base/thread.hpp"
#include "platform/base/wide_windows.hpp"

namespace millrace {

void name_this_thread(const std::string& name) {
  // The headers of mingw-w64 10 do not declare it, and Windows before 10 (1607) does not have it.
  using SetDescription = HRESULT(WINAPI*)(HANDLE, PCWSTR);
  static const auto set_description =
      reinterpret_cast<SetDescription>(reinterpret_cast<void*>(  // FARPROC is no real type
          ::GetProcAddress(::GetModuleHandleW(L"kernelbase.dll"), "SetThreadDescription")));
  if (set_description != nullptr) set_description(::GetCurrentThread(), to_wide(name).c_str());
}

}  // namespace millrace
