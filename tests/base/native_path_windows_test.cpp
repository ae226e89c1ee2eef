#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

std::string full(const char* path, const char* base = R"(D:\base)") {
  return path_text(full_path(native_path(path), native_path(base)));
}

TEST_CASE("paths of drives, in either way of writing them, and as the installer gives them") {
  CHECK(full(R"(C:\Scans\in)") == R"(C:\Scans\in)");
  CHECK(full(R"(C:\Scans\in\/)") == R"(C:\Scans\in)");
  CHECK(full("C:/Scans/x/../in/") == R"(C:\Scans\in)");
  CHECK(full(R"(C:\/)") == R"(C:\)");
  CHECK(full("in") == R"(D:\base\in)");
  CHECK(full(R"(\in)") == R"(D:\in)");
}

TEST_CASE("a share stays a share") {
  CHECK(full(R"(\\server\share)") == R"(\\server\share)");
  CHECK(full(R"(\\server\share\in\/)") == R"(\\server\share\in)");
  CHECK(full("//server/share/in") == R"(\\server\share\in)");
  CHECK(full(R"(\\server\share\x\..\in)") == R"(\\server\share\in)");
  CHECK(full("in", R"(\\server\share\base)") == R"(\\server\share\base\in)");
}

}  // namespace
}  // namespace millrace
