# macOS 12 and newer (arm64) from Debian 12 with the clang and libc++ of zig; all but the system's own
# libraries are linked statically. installer/cross/dependencies has to have built them.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)

# The libraries themselves are built with this file too, into MILLRACE_PREFIX.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MILLRACE_PREFIX)
if(NOT MILLRACE_PREFIX)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/dependencies macos --where
                  OUTPUT_VARIABLE MILLRACE_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  if(NOT EXISTS ${MILLRACE_PREFIX})
    message(FATAL_ERROR "The libraries for macOS are not built yet: run installer/build-macos")
  endif()
  set(MILLRACE_PREFIX ${MILLRACE_PREFIX} CACHE PATH "Where the libraries for macOS lie")
endif()
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/macos-compiler --where
                OUTPUT_VARIABLE compiler OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
set(CMAKE_C_COMPILER ${compiler}/arm64-macos-cc)
set(CMAKE_CXX_COMPILER ${compiler}/arm64-macos-c++)
set(CMAKE_AR ${compiler}/arm64-macos-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${compiler}/arm64-macos-ranlib CACHE FILEPATH "")
# Nothing is installed from here, and the compiler brings its own headers and libraries.
set(CMAKE_INSTALL_NAME_TOOL /bin/true)
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "" CACHE STRING "")

set(CMAKE_PREFIX_PATH ${MILLRACE_PREFIX})
set(CMAKE_FIND_ROOT_PATH ${MILLRACE_PREFIX})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(OPENSSL_USE_STATIC_LIBS TRUE)

set(frameworks ${CMAKE_CURRENT_LIST_DIR}/frameworks)
# Errors of libcurl and Boost name sources: without the cache, where both lie as they are compiled.
get_filename_component(cache ${MILLRACE_PREFIX} DIRECTORY)
set(paths "-ffile-prefix-map=${cache}/=")
# -O2 and -g0 even where a check of CMake names no configuration: for each of them the compiler would
# build its own libraries anew.
set(CMAKE_C_FLAGS_INIT "-O2 -g0 ${paths} -F${frameworks}")
set(CMAKE_CXX_FLAGS_INIT
    "-O2 -g0 ${paths} -F${frameworks} -DUTF8PROC_STATIC -isystem ${MILLRACE_PREFIX}/include")
# The linker signs what it writes; stripped afterwards, the signature would be wrong.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-F${frameworks} -Wl,-s")
