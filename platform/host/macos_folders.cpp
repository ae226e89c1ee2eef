#include "platform/host/macos_folders.hpp"

#include <cstddef>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kLongestSocketPath = 103;  // sys/un.h: 104 with the zero at its end
constexpr std::size_t kLongestSocketName = 30;   // of those that we make, with the slash before it

}  // namespace

MacosFolders macos_folders(const std::filesystem::path& home) {
  const auto own = home / "Library" / "Application Support" / "Millrace";
  auto run = own / "run";
  if (run.native().size() + kLongestSocketName > kLongestSocketPath) run.clear();
  return {own / "config.toml", own / "state", std::move(run)};
}

}  // namespace millrace
