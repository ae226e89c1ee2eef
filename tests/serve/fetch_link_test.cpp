#include "agent/serve/fetch_link.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"

namespace millrace::serve {
namespace {

using namespace std::chrono_literals;

// A body that comes piece by piece, each after a pause.
struct Drip {
  std::size_t length = 0;
  std::size_t piece = 0;
  Duration pause{};
};

class DrippingExchange final : public HttpExchange {
 public:
  DrippingExchange(ManualClock& clock, const Drip& drip)
      : clock_(clock), drip_(drip), bytes_(drip.piece) {}
  Result<Keep> send(std::span<const std::byte>) override { return Keep::Going; }
  Result<HttpHead> head() override {
    return HttpHead{.status = 200, .headers = {}, .length = {}, .framed = true};
  }
  Progress progress() const override { return {}; }

 private:
  Result<std::span<const std::byte>> take() override {
    clock_.advance(drip_.pause);
    const std::size_t n = std::min(drip_.piece, drip_.length - given_);
    given_ += n;
    return std::span<const std::byte>(bytes_).first(n);
  }

  ManualClock& clock_;
  const Drip drip_;
  const std::vector<std::byte> bytes_;
  std::size_t given_ = 0;
};

class DrippingClient final : public HttpClient {
 public:
  DrippingClient(ManualClock& clock, const Drip& drip) : clock_(clock), drip_(drip) {}
  Result<std::unique_ptr<HttpExchange>> start(HttpRequest, std::stop_token) override {
    return std::make_unique<DrippingExchange>(clock_, drip_);
  }
  Counters counters() const override { return {}; }

 private:
  ManualClock& clock_;
  const Drip drip_;
};

struct Fetched {
  test::Scratch folder;
  ManualClock clock;
  std::unique_ptr<ScratchFolder> scratch = ScratchFolder::open(folder / "scratch").value();
  ConvertRequest request;

  std::expected<void, ServerResponse> from(const Drip& drip) {
    DrippingClient client(clock, drip);
    request.link = "https://files.example/a.png?token=hush";
    const FetchRules rules{{}, {}, 10'000'000};
    return fetch_link(&client, rules, request, *scratch, clock, {});
  }
};

}  // namespace

TEST_CASE("a link whose bytes drip is given up") {
  Fetched fetched;
  const TimePoint begun = fetched.clock.now();
  const auto done = fetched.from({100'000, 1, 20s});
  REQUIRE_FALSE(done);
  CHECK(done.error().status == 422);
  CHECK(done.error().body.find("\"code\":\"fetch_failed\"") != std::string::npos);
  CHECK(done.error().body.find("files.example:443 sends the file too slowly") != std::string::npos);
  CHECK(fetched.clock.now() - begun < 5min);
  CHECK(std::filesystem::is_empty(fetched.scratch->path()));
}

TEST_CASE("a link whose bytes come slowly and steadily is waited for") {
  Fetched fetched;
  const TimePoint begun = fetched.clock.now();
  const auto done = fetched.from({3'000'000, 15'000, 1s});
  REQUIRE(done);
  CHECK(std::filesystem::file_size(fetched.request.input) == 3'000'000);
  CHECK(fetched.clock.now() - begun > 3min);
}

}  // namespace millrace::serve
