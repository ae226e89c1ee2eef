// transfer_bench REQUESTS WORKERS BYTES [URL [CA_FILE]]: posts bodies and prints the rate and the
// CPU of each. Without a URL it starts a keep-alive server of its own (whose CPU is then part of
// the figure); with REQUESTS 0 it only serves, until it is killed.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
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

}  // namespace

int main(int argc, char** argv) {
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
