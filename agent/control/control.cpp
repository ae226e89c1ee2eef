#include "agent/control/control.hpp"

#include <array>
#include <deque>
#include <string_view>
#include <thread>
#include <utility>

#include "platform/base/mutex.hpp"
#include "platform/base/thread.hpp"
#include "platform/http/server.hpp"

namespace millrace {
namespace {

struct Route {
  std::string_view method;
  std::string_view path;
  Result<std::string> (*ask)(ControlledAgent& agent, const ServerRequest& request);
};

std::string value(const ServerRequest& request, std::string_view name) {
  return std::string(request.query_value(name));
}

constexpr std::array kRoutes{
    Route{"GET", "/v1/status", [](auto& agent, auto&) { return agent.status(); }},
    Route{"GET", "/v1/failures", [](auto& agent, auto&) { return agent.failures(); }},
    Route{"GET", "/v1/explain",
          [](auto& agent, auto& r) { return agent.explain(value(r, "file")); }},
    Route{"POST", "/v1/retry", [](auto& agent, auto& r) { return agent.retry(value(r, "id")); }},
    Route{"POST", "/v1/rescan",
          [](auto& agent, auto& r) { return agent.rescan(value(r, "folder")); }},
    Route{"POST", "/v1/pause", [](auto& agent, auto& r) { return agent.pause(value(r, "name")); }},
    Route{"POST", "/v1/resume",
          [](auto& agent, auto& r) { return agent.resume(value(r, "name")); }},
    Route{"POST", "/v1/reload", [](auto& agent, auto&) { return agent.reload(); }},
};

ServerResponse answer(ControlledAgent& agent, const ServerRequest& request) {
  bool path_known = false;
  for (const Route& route : kRoutes) {
    if (route.path != request.path) continue;
    path_known = true;
    if (route.method != request.method) continue;
    auto said = route.ask(agent, request);
    if (!said) {
      const int status = said.error().kind == ErrorKind::Configuration ? 400 : 500;
      return error_response(status, to_string(said.error().kind), said.error().message);
    }
    ServerResponse response;
    response.body = std::move(*said);
    return response;
  }
  return path_known ? error_response(405, "method", "this path wants another method")
                    : error_response(404, "path", "there is no such path");
}

// Questions wait for the ledger, which the server's own thread must not.
class LiveControl final : public ControlServer {
 public:
  explicit LiveControl(ControlledAgent& agent) : agent_(agent) {
    worker_ = start_thread("control", [this](std::stop_token stop) { work(std::move(stop)); });
  }
  ~LiveControl() override {
    if (server_) server_->stop(std::chrono::milliseconds{200});
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      asked_.notify_all();
    }
    worker_.request_stop();
  }

  Result<void> listen(const std::filesystem::path& socket) {
    ServerOptions options;
    options.unix_socket = socket;
    options.max_body = 64 * 1024;
    // Each takes a descriptor from the workers, and one that says nothing is soon let go.
    options.max_connections = 4;
    options.idle_timeout = std::chrono::seconds{5};
    auto server = start_http_server(
        std::move(options), [this](std::shared_ptr<ServerRequest> request, Respond respond) {
          const MutexLock lock(mutex_);
          questions_.push_back({std::move(request), std::move(respond)});
          asked_.notify_one();
        });
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
    return {};
  }

 private:
  struct Question {
    std::shared_ptr<ServerRequest> request;
    Respond respond;
  };

  void work(std::stop_token stop) {
    while (!stop.stop_requested()) {
      Question question;
      {
        MutexLock lock(mutex_);
        while (questions_.empty() && !stopping_) asked_.wait(lock);
        if (questions_.empty()) return;
        question = std::move(questions_.front());
        questions_.pop_front();
      }
      question.respond(answer(agent_, *question.request));
    }
  }

  ControlledAgent& agent_;
  std::unique_ptr<HttpServer> server_;
  Mutex mutex_;
  CondVar asked_;
  std::deque<Question> questions_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::jthread worker_;
};

}  // namespace

Result<std::unique_ptr<ControlServer>> start_control(const std::filesystem::path& socket,
                                                     ControlledAgent& agent) {
  auto control = std::make_unique<LiveControl>(agent);
  if (auto listening = control->listen(socket); !listening) {
    return std::unexpected(listening.error());
  }
  return control;
}

}  // namespace millrace
