#include "platform/host/service.hpp"

namespace millrace {

int run_under_service_manager(const std::function<int()>& run) { return run(); }

bool is_service() { return false; }

void write_event(EventLevel, std::string_view) {}

Result<std::unique_ptr<ServiceManager>> open_service_manager(ServiceScope) {
  return fail(
      ErrorKind::Configuration,
      "`millrace service` is there on Windows and macOS only; on Linux systemd runs the agent: put "
      "the program into ~/.local/bin, "
      "installer/linux/millrace.service into ~/.config/systemd/user, "
      "then `systemctl --user enable --now millrace`");
}

}  // namespace millrace
