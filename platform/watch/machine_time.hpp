// Two clocks that only the system has.
#pragma once

#include "platform/base/clock.hpp"

namespace millrace {

// How long the machine has slept since it was started; zero where the system does not say.
Duration time_asleep();

// Processor time of the calling thread.
Duration thread_cpu_time();

}  // namespace millrace
