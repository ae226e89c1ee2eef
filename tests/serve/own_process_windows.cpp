#include <windows.h>

#include "tests/serve/own_process.hpp"

namespace millrace::test {

unsigned long own_process() { return ::GetCurrentProcessId(); }

}  // namespace millrace::test
