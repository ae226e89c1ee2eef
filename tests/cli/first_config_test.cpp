#include "agent/cli/first_config.hpp"

#include "config/load.hpp"
#include "platform/base/native_path.hpp"
#include "tests/support/catch.hpp"

namespace millrace {
namespace {

namespace fs = std::filesystem;

LoadResult loaded(const FirstConfig& wanted, bool has_renderer) {
  return load_settings(first_config(wanted), "config.toml", {"/home/me", "/state", has_renderer});
}

TEST_CASE("the first configuration says what it was given, whatever a path holds") {
  const fs::path base = fs::current_path();
  for (const char* name :
       {"in", "two words", "größe", "\U0001f4f7", "it's", "back\\slash", "it's a \\ slash",
        "quoted \"", "\\ and \"", "tab\tline\nend", "\\\x01.", "del\x7f"}) {
    INFO(name);
    const auto settings = loaded(
        {base / native_path(name), base / "out", "webp,jpg", "https://api.example/v1"}, false);
    REQUIRE(settings);
    REQUIRE(settings->folders.size() == 1);
    const FolderSettings& folder = settings->folders.front();
    CHECK(folder.inbox == base / native_path(name));
    CHECK(folder.outbox == base / "out");
    CHECK(folder.to == std::vector<std::string>{"webp", "jpg"});
    CHECK(folder.via == "api");
  }
}

TEST_CASE("without a conversion API the first configuration is for the embedded converter") {
  const fs::path base = fs::current_path();
  const FirstConfig wanted{base / "in", base / "out", "webp", ""};
  const auto settings = loaded(wanted, true);
  REQUIRE(settings);
  CHECK(settings->folders.front().via == "local");
  CHECK_FALSE(loaded(wanted, false));
}

}  // namespace
}  // namespace millrace
