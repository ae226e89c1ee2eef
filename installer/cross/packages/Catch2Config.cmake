include(${CMAKE_CURRENT_LIST_DIR}/header_only.cmake)
millrace_header_only(Catch2::Catch2)
