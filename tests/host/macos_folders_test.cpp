#include "platform/host/macos_folders.hpp"

#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("the folders of a user of macOS") {
  const MacosFolders own = macos_folders("/Users/ada");
  CHECK(own.config_file.generic_string() ==
        "/Users/ada/Library/Application Support/Millrace/config.toml");
  CHECK(own.state_dir.generic_string() == "/Users/ada/Library/Application Support/Millrace/state");
  CHECK(own.runtime_dir.generic_string() == "/Users/ada/Library/Application Support/Millrace/run");
}

TEST_CASE("sockets lie elsewhere where their paths would be too long") {
  const std::string below = "/Library/Application Support/Millrace/run";
  const std::string name = "/control-0123456789ab.sock";
  for (std::size_t length = 2; length < 120; ++length) {
    const std::string home = "/" + std::string(length - 1, 'a');
    const MacosFolders own = macos_folders(home);
    CHECK(own.runtime_dir.empty() == (length > 32));
    if (!own.runtime_dir.empty()) CHECK((home + below + name).size() <= 103);
  }
}

}  // namespace millrace
