// The access list of files and folders that only SYSTEM, the administrators, its owner and our
// service may open.
#pragma once

#include <windows.h>

namespace millrace {

// `NT SERVICE\Millrace`, the account of the service, as a security identifier: S-1-5-80 and the
// five words of the SHA-1 of the name in capitals and UTF-16. It is the same on every machine, and
// known before the service is installed: what an administrator keeps then, the service can read.
inline constexpr const wchar_t* kServiceSid =
    L"S-1-5-80-4276393046-3073245745-1868611285-4000953902-4245128387";

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
