#include <sys/ioctl.h>
#include <unistd.h>

#include "platform/host/host.hpp"

namespace millrace {

std::filesystem::path sister_program(std::string_view name) {
  return own_executable().parent_path() / name;
}

void utf8_arguments(int&, char**&) {}

void exit_now(int status) { _exit(status); }

bool is_terminal(int stream) { return isatty(stream) == 1; }

int terminal_width() {
  winsize size{};
  if (ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace millrace
