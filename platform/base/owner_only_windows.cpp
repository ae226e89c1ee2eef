#include "platform/base/owner_only_windows.hpp"

#include <sddl.h>

#include <new>

namespace millrace {

OwnerOnly::OwnerOnly() {
  // Security Descriptor Definition Language: SY is SYSTEM, BA the administrators, OW the owner.
  constexpr const wchar_t* kList = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";
  attributes_.nLength = sizeof attributes_;
  if (!::ConvertStringSecurityDescriptorToSecurityDescriptorW(
          kList, SDDL_REVISION_1, &attributes_.lpSecurityDescriptor, nullptr)) {
    throw std::bad_alloc();  // the text is right, so nothing but memory can be missing
  }
}

OwnerOnly::~OwnerOnly() { ::LocalFree(attributes_.lpSecurityDescriptor); }

}  // namespace millrace
