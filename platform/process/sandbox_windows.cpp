#include "platform/process/sandbox.hpp"

namespace millrace {

Result<Confinement> confine(const ConfineRules&) {
  return fail(ErrorKind::Environment, "Windows offers nothing yet that confines this process");
}

}  // namespace millrace
