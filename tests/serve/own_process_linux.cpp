#include <unistd.h>

#include "tests/serve/own_process.hpp"

namespace millrace::test {

unsigned long own_process() { return static_cast<unsigned long>(::getpid()); }

}  // namespace millrace::test
