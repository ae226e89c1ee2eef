#include <sys/prctl.h>

#include <csignal>
#include <cstdio>

#include "tests/api_server/server_linux.hpp"

int main(int argc, char** argv) {
  using namespace millrace::test;
  const auto options = parse_options(argc, argv);
  if (!options) {
    std::fprintf(stderr, "%s\n", options.error().message.c_str());
    return 2;
  }
  if (options->die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  auto service = Service::make(*options);
  if (!service) {
    std::fprintf(stderr, "%s\n", service.error().message.c_str());
    return 2;
  }
  const auto server = Server::listen(*options, std::move(*service));
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  std::printf("{\"port\":%d,\"url\":\"http://127.0.0.1:%d/v1/convert\"}\n", (*server)->port(),
              (*server)->port());
  std::fflush(stdout);
  (*server)->run();
  return 0;
}
