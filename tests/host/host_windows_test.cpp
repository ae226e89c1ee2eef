#include <windows.h>

#include <chrono>
#include <thread>

#include "platform/base/permissions.hpp"
#include "platform/base/wide_windows.hpp"
#include "platform/host/host.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace {
namespace {

// This program again, with one test that does nothing but hold the lock or ask for it.
PROCESS_INFORMATION start_helper(const char* test, const std::filesystem::path& state) {
  ::SetEnvironmentVariableW(L"MILLRACE_TEST_STATE", state.c_str());
  std::wstring line = L"\"" + own_executable().wstring() + L"\" \"" + to_wide(test) + L"\"";
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION info{};
  REQUIRE(::CreateProcessW(nullptr, line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr,
                           &startup, &info));
  return info;
}

void kill_helper(const PROCESS_INFORMATION& helper) {
  ::TerminateProcess(helper.hProcess, 1);
  ::WaitForSingleObject(helper.hProcess, INFINITE);
  ::CloseHandle(helper.hProcess);
  ::CloseHandle(helper.hThread);
}

std::filesystem::path state_of_helper() {
  return std::filesystem::path(to_wide(environment_variable(L"MILLRACE_TEST_STATE")));
}

void wait_for(const std::filesystem::path& file) {
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!std::filesystem::exists(file)) {
    REQUIRE(std::chrono::steady_clock::now() < late);
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

}  // namespace

TEST_CASE("hold the lock", "[.helper]") {
  const auto lock = lock_instance(state_of_helper());
  test::write_file(state_of_helper() / (lock ? "held" : "refused"), "");
  ::Sleep(INFINITE);
}

TEST_CASE("ask for the lock", "[.helper]") {
  test::write_file(state_of_helper() / "asking", "");
  for (;;) (void)instance_runs(state_of_helper());
}

TEST_CASE("one instance for one state folder, ended by any end of its process [I4]") {
  const test::Scratch state;
  const auto helper = start_helper("hold the lock", state.path());
  wait_for(state / "held");
  const auto second = lock_instance(state.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::Exists);
  CHECK(second.error().message.find(std::to_string(helper.dwProcessId)) != std::string::npos);
  CHECK(instance_runs(state.path()));
  kill_helper(helper);
  CHECK_FALSE(instance_runs(state.path()));
  CHECK(lock_instance(state.path()));
}

TEST_CASE("who asks whether an instance runs is in the way of none that starts [I4]") {
  const test::Scratch state;
  REQUIRE(lock_instance(state.path()));
  const auto helper = start_helper("ask for the lock", state.path());
  wait_for(state / "asking");
  for (int i = 0; i < 500; ++i) CHECK(lock_instance(state.path()));
  kill_helper(helper);
}

TEST_CASE("an instance waits for a command that holds the lock for a moment [I4]") {
  const test::Scratch state;
  auto held = lock_instance(state.path());
  REQUIRE(held);
  std::jthread command([&] {
    // The moment itself. Nothing depends on its length: were it over too soon, the lock is free.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    held->reset();
  });
  CHECK(lock_instance(state.path()));
}

TEST_CASE("standard folders are the machine's own, whatever the user") {
  const test::Scratch data;
  ::SetEnvironmentVariableW(L"ProgramData", data.path().c_str());
  const auto folders = standard_folders();
  REQUIRE(folders);
  CHECK(folders->config_file == data / "Millrace" / "config.toml");
  CHECK(folders->state_dir == data / "Millrace" / "state");
  CHECK(std::filesystem::is_directory(folders->runtime_dir));
  std::error_code problem;
  CHECK(permissions_of(folders->runtime_dir, problem) == std::filesystem::perms::none);
  CHECK_FALSE(problem);
}

TEST_CASE("arguments come from the wide command line") {
  int argc = 0;
  char** argv = nullptr;
  utf8_arguments(argc, argv);
  REQUIRE(argc >= 1);
  CHECK(std::string(argv[0]).find("platform_host_test") != std::string::npos);
  CHECK(argv[argc] == nullptr);
}

}  // namespace millrace
