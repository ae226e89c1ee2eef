#include "platform/base/file_system_type_linux.hpp"

#include "tests/support/catch.hpp"

namespace millrace {

TEST_CASE("what is known of a file system by its number [C1]") {
  using enum FileSystemNature;
  using enum FileIds;
  const FileSystemType row = GENERATE(values<FileSystemType>({
      {0xEF53, "ext4", Local, Stable},
      {0x4D44, "vfat", Local, Unstable},
      {0x6969, "nfs", Network, Stable},
      {0x01021997, "9p", Network, Stable},
      {0x0BD00BD0, "lustre", Network, Stable},
      {0xFE534D42, "smb3", Network, Unstable},
      {0x786F4256, "vboxsf", Network, Unstable},
      {0x65735546, "fuse", Fuse, Unstable},
      {0xDEADBEEF, "unknown", Local, Stable},
  }));
  CAPTURE(row.name);
  // As a system gives it that has f_type as a signed word.
  const auto extended = static_cast<std::uint64_t>(static_cast<std::int32_t>(row.number));
  for (const std::uint64_t number : {std::uint64_t{row.number}, extended}) {
    const FileSystemType found = file_system_type(number);
    CHECK(found.name == row.name);
    CHECK(found.nature == row.nature);
    CHECK(found.ids == row.ids);
  }
}

}  // namespace millrace
