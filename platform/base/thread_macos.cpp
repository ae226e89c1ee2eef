#include <pthread.h>

#include "platform/base/thread.hpp"

namespace millrace {

// 64 bytes with the final zero (MAXTHREADNAMESIZE).
void name_this_thread(const std::string& name) { pthread_setname_np(name.substr(0, 63).c_str()); }

}  // namespace millrace
