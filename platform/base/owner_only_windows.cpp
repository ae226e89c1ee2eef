#include "platform/base/owner_only_windows.hpp"

#include <sddl.h>

#include <new>
#include <string>

namespace millrace {

OwnerOnly::OwnerOnly() {
  // Security Descriptor Definition Language: SY is SYSTEM, BA the administrators, OW the owner;
  // 0x1301bf is to read, write, run and delete, without the access list itself.
  const std::wstring list =
      std::wstring(L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)(A;OICI;0x1301bf;;;") +
      kServiceSid + L")";
  attributes_.nLength = sizeof attributes_;
  if (!::ConvertStringSecurityDescriptorToSecurityDescriptorW(
          list.c_str(), SDDL_REVISION_1, &attributes_.lpSecurityDescriptor, nullptr)) {
    throw std::bad_alloc();  // the text is right, so nothing but memory can be missing
  }
}

OwnerOnly::~OwnerOnly() { ::LocalFree(attributes_.lpSecurityDescriptor); }

}  // namespace millrace
