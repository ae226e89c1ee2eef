#include <windows.h>

#include "platform/base/thread.hpp"
#include "platform/base/wide_windows.hpp"

namespace millrace {

void name_this_thread(const std::string& name) {
  ::SetThreadDescription(::GetCurrentThread(), to_wide(name).c_str());
}

}  // namespace millrace
