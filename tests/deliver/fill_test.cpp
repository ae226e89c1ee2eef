#include "agent/deliver/fill.hpp"

#include <algorithm>

#include "platform/base/sha256.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;

namespace {

class TextSource final : public DigestedSource {
 public:
  TextSource(std::string text, std::optional<Error> then) : text_(std::move(text)), then_(then) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    const std::size_t n = std::min({into.size(), text_.size() - at_, std::size_t{1000}});
    if (n == 0 && then_) return std::unexpected(*then_);
    std::ranges::copy(std::as_bytes(std::span(text_)).subspan(at_, n), into.begin());
    at_ += n;
    return n;
  }
  std::string take_sha256() override { return to_hex(sha256(text_)); }

 private:
  const std::string text_;
  const std::optional<Error> then_;
  std::size_t at_ = 0;
};

class MemoryOutput final : public OutputFile {
 public:
  const Name& temporary_name() const override { return name_; }
  Result<void> write(std::span<const std::byte> bytes) override {
    if (content.size() + bytes.size() > limit) return fail(ErrorKind::Input, "no room");
    content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> finish() override { return {}; }
  Result<OutputIdentity> commit(const std::optional<OutputIdentity>&) override { return {}; }
  void keep() override {}

  std::string content;
  std::size_t limit = 1 << 20;

 private:
  const Name name_ = "temporary";
};

}  // namespace

TEST_CASE("fill writes every byte and tells their hash and size") {
  const std::string text(300'001, 'm');
  TextSource source(text, std::nullopt);
  MemoryOutput file;
  const auto expected =
      GENERATE(as<std::optional<std::uint64_t>>{}, std::nullopt, 0u, 1u, 300'001u);
  const auto written = fill(file, source, expected).value();
  CHECK(file.content == text);
  CHECK(written.size == text.size());
  CHECK(written.sha256 == to_hex(sha256(text)));
}

TEST_CASE("an error of the source keeps its kind [E12 E14]") {
  for (const auto kind : {ErrorKind::Transient, ErrorKind::Stopped, ErrorKind::Converter}) {
    TextSource source("abc", Error{kind, "cut", 0, {}});
    MemoryOutput file;
    CHECK(fill(file, source, std::nullopt).error().kind == kind);
  }
}

TEST_CASE("an error of the outbox is Environment whatever it was, and says so [F1]") {
  TextSource source("abcdef", std::nullopt);
  MemoryOutput file;
  file.limit = 3;
  const auto error = fill(file, source, std::nullopt).error();
  CHECK(error.kind == ErrorKind::Environment);
  CHECK(error.message == "outbox: no room");
}
