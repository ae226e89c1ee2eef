#include "platform/process/sandbox.hpp"

namespace millrace {

// There is no seccomp and no Landlock here, and sandbox_init(3) is deprecated.
Result<Confinement> confine(const ConfineRules&) {
  return fail(ErrorKind::Environment, "macOS offers nothing yet that confines this process");
}

}  // namespace millrace
