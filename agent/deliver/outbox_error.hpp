// What is wrong with an outbox, as its callers see it.
#pragma once

#include "platform/base/result.hpp"

namespace millrace {

// Every trouble of an outbox is Environment, but for a name that is wrong (Input) or taken
// (Exists), and for the caller's own stop.
inline Error outbox_error(Error error) {
  switch (error.kind) {
    case ErrorKind::Exists:
    case ErrorKind::Input:
    case ErrorKind::Stopped:
      return error;
    default:
      error.kind = ErrorKind::Environment;
      return error;
  }
}

}  // namespace millrace
