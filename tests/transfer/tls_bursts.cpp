// Two bursts of ten requests at once, with or without the share of TLS sessions; the second begins
// when a line comes. Prints the counters of each as `connections resumed`.
//   tls_bursts URL CA_FILE on|off
#include <atomic>
#include <iostream>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/transfer/curl_http.hpp"
#include "platform/host/host.hpp"

namespace {

using namespace millrace;

constexpr int kAtOnce = 10;

bool ask(HttpClient& http, const std::string& url) {
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  const auto failed = [](const Error& error) {
    std::cerr << error.message << "\n";
    return false;
  };
  auto exchange = http.start(std::move(request), {});
  if (!exchange) return failed(exchange.error());
  if (const auto head = (*exchange)->head(); !head) return failed(head.error());
  std::byte buffer[4096];
  for (;;) {
    const auto n = (*exchange)->read(buffer);
    if (!n) return failed(n.error());
    if (*n == 0) return true;
  }
}

bool burst(HttpClient& http, const std::string& url) {
  const auto before = http.counters();
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < kAtOnce; ++i) {
      workers.emplace_back([&] {
        for (int n = 0; n < 5; ++n) good += ask(http, url) ? 1 : 0;
      });
    }
  }
  const auto after = http.counters();
  std::cout << after.connections - before.connections << " " << after.resumed - before.resumed
            << std::endl;
  return good == kAtOnce * 5;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  harden_process();
  CurlOptions options;
  options.ca_file = argv[2];
  options.tls_share = std::string_view(argv[3]) == "on" ? TlsShare::On : TlsShare::Off;
  const auto http = start_curl_http(std::move(options));
  if (!http) return 2;
  if (!burst(**http, argv[1])) return 1;
  std::string line;
  std::getline(std::cin, line);
  return burst(**http, argv[1]) ? 0 : 1;
}
