// Threads that their owner joins, with a name that debuggers and `top -H` show.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace millrace {

// Names the calling thread; the system may cut it (Linux keeps 15 bytes).
void name_this_thread(const std::string& name);

// Starts `body`, which returns soon after its stop token fires. The jthread's destructor asks it
// to stop and joins.
std::jthread start_thread(std::string name, std::function<void(std::stop_token)> body);

}  // namespace millrace
