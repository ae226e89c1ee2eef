#include "platform/host/macos_folders.hpp"

#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("the folders of a user of macOS") {
  const MacosFolders own = macos_folders("/Users/ada");
  CHECK(own.config_file.generic_string() ==
        "/Users/ada/Library/Application Support/Millrace/config.toml");
  CHECK(own.state_dir.generic_string() == "/Users/ada/Library/Application Support/Millrace/state");
}

}  // namespace millrace
