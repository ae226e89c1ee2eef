// Started by the tests: the first argument says what it does.
#include <windows.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "platform/base/wide_windows.hpp"
#include "platform/host/host.hpp"
#include "platform/process/process.hpp"

namespace {

int echo() {
  std::string line;
  while (std::getline(std::cin, line)) std::cout << "got " << line << std::endl;
  std::cout << "last" << std::flush;
  return 7;
}

int sleep_for_ever() {
  ::Sleep(INFINITE);
  return 0;
}

int flood() {
  const std::string line(1000, 'e');
  for (int i = 0; i < 1000; ++i) std::cerr << line << '\n';
  std::cerr << "the end" << std::flush;
  std::cout << "done" << std::endl;
  return 0;
}

int pour() {
  const std::string line(1000, 'e');
  for (;;) std::cerr << line << '\n';
}

int allocate() {
  std::cout << (std::malloc(std::size_t{1} << 30) == nullptr ? "refused" : "given") << std::endl;
  return 0;
}

// Starts a grandchild, tells its number and waits.
int spawn() {
  const auto launcher = millrace::make_launcher().value();
  millrace::SpawnRequest request;
  request.program = millrace::own_executable();
  request.arguments = {"sleep"};
  // What ends it is the job that this process is in, not the one that holds it alone.
  request.with_parent = millrace::WithParent::Lives;
  const auto child = launcher->spawn(std::move(request)).value();
  std::cout << child->id() << std::endl;
  return sleep_for_ever();
}

int show(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) std::cout << "argument " << argv[i] << '\n';
  std::cout << "folder " << millrace::to_utf8(std::filesystem::current_path().wstring()) << '\n';
  std::cout << "variable " << millrace::environment_variable(L"MILLRACE_SHOWN") << '\n';
  std::cout << "inherited " << millrace::environment_variable(L"MILLRACE_OURS") << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  millrace::utf8_arguments(argc, argv);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "echo") return echo();
  if (what == "flood") return flood();
  if (what == "pour") return pour();
  if (what == "allocate") return allocate();
  if (what == "spawn") return spawn();
  if (what == "show") return show(argc, argv);
  if (what == "part") std::cout << "part" << std::flush;
  if (what == "crash") ::RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 0, nullptr);
  return sleep_for_ever();
}
