#include <pthread.h>

#include "platform/base/thread.hpp"

namespace millrace {

void name_this_thread(const std::string& name) {
  // 16 bytes with the final zero, pthread_setname_np(3).
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace millrace
