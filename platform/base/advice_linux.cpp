#include "platform/base/advice.hpp"

namespace millrace {

std::string how_to_set_clock() { return "timedatectl set-ntp true"; }

}  // namespace millrace
