#include "platform/base/thread.hpp"

#include <utility>

namespace millrace {

std::jthread start_thread(std::string name, std::function<void(std::stop_token)> body) {
  return std::jthread([name = std::move(name), body = std::move(body)](std::stop_token stop) {
    name_this_thread(name);
    body(std::move(stop));
  });
}

}  // namespace millrace
