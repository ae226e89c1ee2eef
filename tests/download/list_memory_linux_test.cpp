// How much memory a list takes, as Linux counts it.
#include <fstream>
#include <streambuf>

#include "agent/download/list_reader.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

std::size_t resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::size_t kb = 0;
    if (word == "VmRSS:" && status >> kb) return kb;
  }
  return 0;
}

// Lines without end, made as they are asked for.
class Lines final : public std::streambuf {
 public:
  explicit Lines(int count) : left_(count) {}

 private:
  int_type underflow() override {
    if (left_ == 0) return traits_type::eof();
    line_ = "https://host.example/photos/2026/IMG_" + std::to_string(left_--) + ".jpeg a name\n";
    setg(line_.data(), line_.data(), line_.data() + line_.size());
    return traits_type::to_int_type(line_.front());
  }

  std::string line_;
  int left_;
};

}  // namespace

TEST_CASE("a list of a million lines takes no more memory than one of a thousand [P6]") {
  Lines lines(1'000'000);
  std::istream in(&lines);
  ListReader reader(in, "-");
  std::size_t seen = 0, before = 0;
  for (;;) {
    const auto item = reader.next();
    REQUIRE(item.has_value());
    if (!item->has_value()) break;
    if (++seen == 1000) before = resident_kb();
  }
  CHECK(seen == 1'000'000);
  CHECK(before > 0);
  CHECK(resident_kb() < before + 1024);
}
