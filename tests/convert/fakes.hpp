// A source in memory that can change at a chosen moment, and a transport that answers as told.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "agent/convert/converter.hpp"
#include "agent/transfer/http_client.hpp"

namespace millrace::test {

struct FakeFile {
  std::string bytes = {};
  bool unchanged = true;
  int checks = 0;
  std::function<void()> before_read = {};
  std::string link_name = {};  // empty: it has no links
  bool link_names_version = false;
  std::optional<Error> check_error = {};
  std::vector<std::chrono::seconds> lives = {};  // of the links that were made
};

class FakeReader final : public SourceReader {
 public:
  explicit FakeReader(FakeFile& file) : file_(file), size_(file.bytes.size()) {}
  std::uint64_t size() const override { return size_; }
  Result<void> rewind() override {
    at_ = 0;
    return {};
  }
  Result<void> check_unchanged() override {
    ++file_.checks;
    if (file_.check_error) return std::unexpected(*file_.check_error);
    if (!file_.unchanged) return fail(ErrorKind::Changed, "another version");
    return {};
  }
  Result<std::size_t> read(std::span<std::byte> into) override {
    if (file_.before_read) file_.before_read();
    const std::size_t n =
        std::min(into.size(), file_.bytes.size() - std::min(at_, file_.bytes.size()));
    std::memcpy(into.data(), file_.bytes.data() + at_, n);
    at_ += n;
    return n;
  }

  Result<SourceLink> link(std::chrono::seconds life) override {
    if (!file_.unchanged) return fail(ErrorKind::Changed, "another version");
    file_.lives.push_back(life);
    return SourceLink{"https://store/b/a.jpg?sig=" + std::to_string(file_.lives.size()),
                      file_.link_names_version};
  }
  std::string content_name() const override { return file_.link_name; }

 private:
  FakeFile& file_;
  const std::uint64_t size_;
  std::size_t at_ = 0;
};

struct FakeAnswer {
  int status = 200;
  Headers headers = {};
  std::string body = {};
  bool framed = true;
  std::optional<std::uint64_t> length = {};  // declared; the body's own by default
  std::optional<Error> send_error = {};
  std::optional<Error> head_error = {};
  std::optional<Error> read_error = {};  // after the body
  bool enough_at_once = false;
};

// What the one exchange saw.
struct FakeWire {
  HttpRequest request = {};
  std::string sent = {};
  bool dropped = false;
  int starts = 0;
};

class FakeExchange final : public HttpExchange {
 public:
  FakeExchange(FakeWire& wire, const FakeAnswer& answer) : wire_(wire), answer_(answer) {}
  ~FakeExchange() override { wire_.dropped = true; }
  Result<Keep> send(std::span<const std::byte> bytes) override {
    if (answer_.enough_at_once) return Keep::Enough;
    if (answer_.send_error) return std::unexpected(*answer_.send_error);
    if (wire_.request.before_sending && wire_.sent.empty()) {
      std::optional<Error> refused;
      wire_.request.before_sending([&](std::optional<Error> why) { refused = std::move(why); });
      if (refused) return std::unexpected(*refused);
    }
    wire_.sent.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Keep::Going;
  }
  Result<HttpHead> head() override {
    if (answer_.head_error) return std::unexpected(*answer_.head_error);
    HttpHead head{.status = answer_.status,
                  .headers = answer_.headers,
                  .length = answer_.length,
                  .framed = answer_.framed};
    if (answer_.framed && !head.length) head.length = answer_.body.size();
    if (!answer_.framed) head.length.reset();
    return head;
  }
  Progress progress() const override {
    return {wire_.sent.size(), true, wire_.sent.size() == wire_.request.body_length};
  }

 private:
  Result<std::span<const std::byte>> take() override {
    // Seven bytes at a time, so that every mark is met across a seam.
    const std::size_t n = std::min(answer_.body.size() - at_, std::size_t{7});
    if (n == 0 && answer_.read_error) return std::unexpected(*answer_.read_error);
    const std::string_view piece = std::string_view(answer_.body).substr(at_, n);
    at_ += n;
    return std::as_bytes(std::span(piece));
  }
  FakeWire& wire_;
  FakeAnswer answer_;
  std::size_t at_ = 0;
};

class FakeHttp final : public HttpClient {
 public:
  Result<std::unique_ptr<HttpExchange>> start(HttpRequest request, std::stop_token) override {
    wire = {.request = std::move(request), .starts = wire.starts + 1};
    return std::make_unique<FakeExchange>(wire, answer);
  }
  Counters counters() const override { return {}; }

  FakeAnswer answer;
  FakeWire wire;
};

inline Payload payload_of(FakeFile& file) {
  auto payload = Payload::read(std::make_unique<FakeReader>(file), {});
  if (!payload) throw std::runtime_error(payload.error().message);
  return std::move(*payload);
}

inline Result<std::string> read_all(ByteSource& source) {
  std::string all;
  std::vector<std::byte> buffer(1000);
  for (;;) {
    const auto got = source.read(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return all;
    all.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

}  // namespace millrace::test
