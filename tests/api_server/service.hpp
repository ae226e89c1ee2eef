// Decides what each POST is answered with. Single-threaded; knows no socket; time is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/api_server/bill_book.hpp"
#include "tests/api_server/faults.hpp"
#include "tests/api_server/options.hpp"
#include "tests/api_server/request.hpp"

namespace millrace::test {

enum class WireEnd { Keep, Close, Reset, Hold };  // what becomes of the connection

// An answer as it goes over the wire.
struct Wire {
  std::string bytes;
  WireEnd end = WireEnd::Keep;
  std::size_t trickle_bytes = 0;  // so many at a time; 0: as fast as it goes
  Duration trickle_every{0};
  bool endless = false;  // the last 1 KiB is repeated for ever
};

// What happens with a whole request: an answer now, or a conversion that takes a while.
struct Admission {
  std::optional<Wire> answer;
  Duration conversion{0};
};

class Service {
 public:
  static Result<Service> make(const ServerOptions& options);

  Post begin(const RequestHead& head, std::uint64_t connection);
  // An answer that goes out while `post.received` bytes of the body have arrived, or nothing.
  std::optional<Wire> early_answer(Post& post);
  Admission admit(Post& post, TimePoint now);
  // The conversion is over: bills it and makes its answer.
  Wire finish(Post& post, TimePoint now);
  // The connection was lost, or is left alone for good.
  void ended(const Post& post) { book_.ended(post); }
  // GET or POST beneath /_control/.
  Wire control(const RequestHead& head, const std::string& body);
  static Wire plain(int status, std::string_view message);

  BillBook& book() { return book_; }
  // By /_control/hold: no conversion ends meanwhile.
  bool is_held() const { return held_; }

 private:
  using HeaderList = std::vector<std::pair<std::string, std::string>>;
  struct Refusal {
    int status = 0;
    std::string code, message;
    HeaderList headers;
  };
  Service(const ServerOptions& options, BillBook book, FaultScript script)
      : options_(options),
        book_(std::move(book)),
        script_(std::move(script)),
        random_(options.latency.seed) {}

  std::optional<Refusal> refusal(const Post& post, KeyVerdict verdict, TimePoint now);
  std::optional<Refusal> rate_refusal(TimePoint now);
  Wire refuse(Post& post, const Refusal& refusal, WireEnd end);
  Wire scripted(Post& post, WireEnd end);
  Wire converted_answer(Post& post);
  Wire faulty_answer(Post& post, std::string body, HeaderList headers);
  HeaderList common_headers(const Post& post) const;
  Duration draw_latency(const Post& post);
  std::string http_date(std::int64_t from_now) const;

  ServerOptions options_;
  BillBook book_;
  FaultScript script_;
  bool held_ = false;
  std::uint64_t script_base_ = 0;  // POSTs before the present script
  std::uint64_t posts_ = 0;
  std::mt19937_64 random_;
  std::string last_sha256_;
  HeaderList rate_headers_;
};

}  // namespace millrace::test
