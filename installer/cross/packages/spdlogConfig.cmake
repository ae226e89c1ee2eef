include(${CMAKE_CURRENT_LIST_DIR}/header_only.cmake)
# Debian's spdlog takes fmt from outside; its file names are wide, else they are of the code page.
millrace_header_only(spdlog::spdlog SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY
                     $<$<BOOL:${WIN32}>:SPDLOG_WCHAR_FILENAMES>)
