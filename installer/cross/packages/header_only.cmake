# A package of headers, which the toolchain file has put among the system's.
macro(millrace_header_only target)
  if(NOT TARGET ${target})
    add_library(${target} INTERFACE IMPORTED)
    target_compile_definitions(${target} INTERFACE ${ARGN})
  endif()
endmacro()
