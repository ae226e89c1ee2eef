#pragma once

namespace millrace::test {

unsigned long own_process();  // the number that the system has for it

}  // namespace millrace::test
