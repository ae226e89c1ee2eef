// The access list of what only SYSTEM, the administrators and its owner may open.
#pragma once

#include <windows.h>

namespace millrace {

// Protected from what a parent folder passes on. For a folder it holds for all beneath as well.
class OwnerOnly {
 public:
  OwnerOnly();
  ~OwnerOnly();
  OwnerOnly(const OwnerOnly&) = delete;
  OwnerOnly& operator=(const OwnerOnly&) = delete;

  SECURITY_ATTRIBUTES* get() { return &attributes_; }

 private:
  SECURITY_ATTRIBUTES attributes_{};
};

}  // namespace millrace
