# The installed header is what the build is keyed by; FIND knows its version only from here.
set(PACKAGE_VERSION 3.11.2)
if(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
