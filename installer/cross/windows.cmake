# Windows (x86_64) from Debian 12 with mingw-w64, POSIX threads; everything is linked statically.
# The libraries come from installer/cross/dependencies, which has to have built them.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

# The libraries themselves are built with this file too, into MILLRACE_PREFIX.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MILLRACE_PREFIX)
if(NOT MILLRACE_PREFIX)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/dependencies windows --where
                  OUTPUT_VARIABLE MILLRACE_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  if(NOT EXISTS ${MILLRACE_PREFIX})
    message(FATAL_ERROR "The libraries for Windows are not built yet: run installer/build-windows")
  endif()
  set(MILLRACE_PREFIX ${MILLRACE_PREFIX} CACHE PATH "Where the libraries for Windows lie")
endif()
set(CMAKE_PREFIX_PATH ${MILLRACE_PREFIX})
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32 ${MILLRACE_PREFIX})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(OPENSSL_USE_STATIC_LIBS TRUE)

# Checks in the libraries name sources: without the cache, where both lie as they are compiled.
get_filename_component(cache ${MILLRACE_PREFIX} DIRECTORY)
set(paths "-ffile-prefix-map=${cache}/=")
# Windows 10, as CMakeLists.txt says of our own sources; libcurl takes nghttp2 from a static library.
set(CMAKE_C_FLAGS_INIT "${paths} -D_WIN32_WINNT=0x0A00 -DNGHTTP2_STATICLIB")
set(CMAKE_CXX_FLAGS_INIT "${paths} -DUTF8PROC_STATIC -isystem ${MILLRACE_PREFIX}/include")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/wine-run)
