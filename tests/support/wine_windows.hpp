// Wine is not Windows: tests that would blame us for the difference ask.
#pragma once

#include <windows.h>

namespace millrace::test {

inline bool under_wine() {
  return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
}

}  // namespace millrace::test
