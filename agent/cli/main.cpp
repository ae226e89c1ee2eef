#include "agent/cli/options.hpp"
#include "platform/host/host.hpp"

int main(int argc, char** argv) {
  millrace::harden_process();
  millrace::utf8_arguments(argc, argv);
  const millrace::Parsed parsed = millrace::parse_command_line(argc, argv);
  return parsed.command == nullptr ? parsed.status : parsed.command->run(parsed.options);
}
