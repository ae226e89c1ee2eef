// A list, a server on loopback whose script makes the faults, and a folder to fetch into.
#pragma once

#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "agent/download/download_run.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/sha256.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch.hpp"
#include "tests/transfer/fault_server.hpp"

namespace millrace::test {

// Answers each request with what `reply` makes of its head; empty: a reset.
class ListServer {
 public:
  using Reply = std::function<std::string(const std::string& head)>;
  explicit ListServer(Reply reply)
      : reply_(std::move(reply)), server_([this](Connection& connection) { serve(connection); }) {}

  std::string url(std::string_view path) const { return server_.url(path); }
  std::string place() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  std::vector<std::string> heads() {
    const std::scoped_lock lock(mutex_);
    return heads_;
  }

 private:
  void serve(Connection& connection) {
    while (connection.read_request()) {
      std::string text;
      {
        const std::scoped_lock lock(mutex_);
        heads_.push_back(connection.head());
        text = reply_(connection.head());
      }
      if (text.empty()) return connection.reset();
      connection.write(text);
      // Fewer bytes than declared end the connection.
      const auto body = text.find("\r\n\r\n") + 4;
      const auto length = text.find("Content-Length: ");
      if (length != text.npos && text.size() - body < std::stoull(text.substr(length + 16))) return;
    }
  }

  std::mutex mutex_;
  std::vector<std::string> heads_;
  Reply reply_;
  FaultServer server_;
};

// Holds `fields` (each with its line end) and a Content-Length.
inline std::string reply(std::string_view status, std::string_view fields, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

class DownloadBench {
 public:
  explicit DownloadBench(ListServer& server) : place_(server.place()) {
    options.into = scratch / "into";
    options.window.random = [] { return 0.5; };
    options.retry.first_delay = std::chrono::milliseconds{1};
    options.fetch.allow = {place_};
  }

  DownloadTally run(const std::string& list) {
    std::istringstream in(list);
    auto records = DownloadRecords::open(scratch / "downloads.db", options.durable);
    REQUIRE(records);
    options.records = *records;
    auto run = DownloadRun::start(ListReader(in, "list"), options, clock_);
    REQUIRE(run);
    CHECK(eventually([&] { return (*run)->done(); }));
    (*run)->stop();
    failures = (*run)->failures();
    return (*run)->tally();
  }

  std::string file(std::string_view name) const { return read_file(path(name)); }
  std::filesystem::path path(std::string_view name) const {
    return options.into / native_path(name);
  }
  // Everything in the folder, temporaries too.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(options.into))
      found.push_back(path_text(entry.path().filename()));
    std::ranges::sort(found);
    return found;
  }

  Scratch scratch;
  DownloadOptions options;
  std::vector<DownloadTrouble> failures;

 private:
  SystemClock clock_;
  std::string place_;
};

}  // namespace millrace::test
