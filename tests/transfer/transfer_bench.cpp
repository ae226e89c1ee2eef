// transfer_bench REQUESTS WORKERS BYTES [URL [CA_FILE]]: posts bodies and prints the rate and the
// CPU of each. Without a URL it starts a keep-alive server of its own (whose CPU is then part of
// the figure); with REQUESTS 0 it only serves, until it is killed.
// transfer_bench stops: how long an exchange needs to end when it is stopped, in every phase.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/transfer/curl_http.hpp"
#include "tests/transfer/fault_server.hpp"

namespace {

using namespace millrace;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void keep_alive(test::Connection& connection) {
  const std::string reply = test::answer("200 OK", std::string(20'000, 'x'));
  while (connection.read_request())
    if (!connection.write(reply)) return;
}

bool post(HttpClient& http, const std::string& url, const std::string& ca_file,
          const std::vector<std::byte>& body) {
  HttpRequest request;
  request.url = url;
  request.ca_file = ca_file;
  request.body_length = body.size();
  request.headers = {{"Authorization", "Bearer 0123456789abcdef"},
                     {"Idempotency-Key", "0123456789abcdef0123456789abcdef"},
                     {"Content-Type", "application/octet-stream"}};
  auto exchange = http.start(std::move(request), {});
  if (!exchange || !(*exchange)->send(body) || !(*exchange)->head()) return false;
  std::byte into[65536];
  for (;;) {
    const auto n = (*exchange)->read(into);
    if (!n) return false;
    if (*n == 0) return true;
  }
}

// -- stops ------------------------------------------------------------------------------------

constexpr int kStops = 20;
constexpr std::chrono::milliseconds kLook{1};

using Milliseconds = std::chrono::duration<double, std::milli>;

void wait_for(const std::atomic<bool>& flag) {
  while (!flag) std::this_thread::sleep_for(kLook);
}

// One phase: what leads into it, and whether an exchange has come there.
struct Phase {
  const char* name;
  std::string url;
  std::uint64_t body_length;
  std::function<void()> wait_until_there;
  std::function<void(std::function<void(std::optional<Error>)>)> before_sending = {};
};

// What a worker does with an exchange, up to its end.
void send_and_read(HttpExchange& exchange, std::uint64_t body_length) {
  const std::vector<std::byte> piece(64 * 1024);
  for (std::uint64_t left = body_length; left > 0;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    if (!exchange.send(std::span(piece).first(n))) return;
    left -= n;
  }
  if (!exchange.head()) return;
  std::byte into[16384];
  for (;;) {
    const auto n = exchange.read(into);
    if (!n || *n == 0) return;
  }
}

// From the stop until the worker has its exchange back.
Milliseconds time_of_stop(HttpClient& http, const Phase& phase) {
  std::stop_source stop;
  std::chrono::steady_clock::time_point ended;
  std::jthread worker([&] {
    HttpRequest request;
    request.url = phase.url;
    request.body_length = phase.body_length;
    request.before_sending = phase.before_sending;
    {
      const auto exchange = http.start(std::move(request), stop.get_token());
      if (exchange) send_and_read(**exchange, phase.body_length);
    }
    ended = std::chrono::steady_clock::now();
  });
  phase.wait_until_there();
  const auto begun = std::chrono::steady_clock::now();
  stop.request_stop();
  worker.join();
  return ended - begun;
}

bool print_stops(const Phase& phase) {
  auto http = start_curl_http({});
  if (!http) return false;
  std::vector<double> times;
  for (int i = 0; i < kStops; ++i) times.push_back(time_of_stop(**http, phase).count());
  std::ranges::sort(times);
  std::printf("%-14s median %.2f ms, worst %.2f ms\n", phase.name, times[kStops / 2], times.back());
  return true;
}

bool measure_stops() {
  std::atomic<bool> there{false};
  const auto wait_until_there = [&] {
    wait_for(there);
    there = false;
  };
  const auto then_wait = [&](test::Connection& connection) {
    there = true;
    connection.wait_for_close();
  };
  const test::DeafPort deaf;
  test::FaultServer no_tls([&](test::Connection& connection) {
    connection.read_body(1);  // the handshake has begun
    then_wait(connection);
  });
  std::atomic<bool> over{false};
  test::FaultServer deaf_to_bodies([&](test::Connection& connection) {
    connection.read_head();
    connection.write("HTTP/1.1 100 Continue\r\n\r\n");
    connection.read_body(1'000'000);
    there = true;
    wait_for(over);
  });
  test::FaultServer thinker([&](test::Connection& connection) {
    connection.read_request();
    then_wait(connection);
  });
  test::FaultServer slow_answer([&](test::Connection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nstart");
    then_wait(connection);
  });
  const std::vector<Phase> phases{
      {"connecting", deaf.url(), 10,
       [] { std::this_thread::sleep_for(std::chrono::milliseconds{50}); }},
      {"TLS handshake", "https" + no_tls.url().substr(4), 10, wait_until_there},
      {"held back", thinker.url(), 20'000, wait_until_there, [&](const auto&) { there = true; }},
      {"uploading", deaf_to_bodies.url(), 100'000'000, wait_until_there},
      {"thinking", thinker.url(), 20'000, wait_until_there},
      {"downloading", slow_answer.url(), 20'000, wait_until_there},
  };
  const bool measured = std::ranges::all_of(phases, print_stops);
  over = true;
  return measured;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "stops") return measure_stops() ? 0 : 1;
  const int requests = argc > 1 ? std::atoi(argv[1]) : 20000;
  const int workers = argc > 2 ? std::atoi(argv[2]) : 16;
  const std::vector<std::byte> body(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 20'000);
  std::optional<test::FaultServer> own;
  if (argc <= 4) own.emplace(keep_alive);
  const std::string url = own ? own->url() : argv[4];
  const std::string ca_file = argc > 5 ? argv[5] : "";
  if (requests == 0) {
    std::printf("%s\n", url.c_str());
    std::fflush(stdout);
    for (;;) std::this_thread::sleep_for(std::chrono::hours{1});
  }
  auto http = start_curl_http({});
  if (!http) return 1;
  std::atomic<int> left{requests};
  std::atomic<int> failed{0};
  const double cpu = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < workers; ++i)
      threads.emplace_back([&] {
        while (left.fetch_sub(1) > 0)
          if (!post(**http, url, ca_file, body)) ++failed;
      });
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  std::printf("%.0f req/s, %.1f us CPU each, %d failed, %llu connections\n",
              requests / wall.count(), (cpu_seconds() - cpu) * 1e6 / requests, failed.load(),
              static_cast<unsigned long long>((*http)->counters().connections));
  return failed == 0 ? 0 : 1;
}
