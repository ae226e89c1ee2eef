// plist_sample PROGRAM CONFIG ERRORS [USER]: prints the property list for them.
#include <iostream>

#include "platform/host/launchd_plist.hpp"

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) return 2;
  const auto list = millrace::launchd_plist({argv[1], argv[2], argv[3], argc == 5 ? argv[4] : ""});
  if (!list) {
    std::cerr << list.error().message << "\n";
    return 1;
  }
  std::cout << *list;
  return 0;
}
