#include "platform/base/advice.hpp"

namespace millrace {

std::string how_to_set_clock() { return "sudo systemsetup -setusingnetworktime on"; }

}  // namespace millrace
