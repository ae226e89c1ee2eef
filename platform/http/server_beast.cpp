// One io_context, one thread. Everything below runs on that thread, except start, stop and what a
// handler's Respond does, which only posts.
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <limits>
#include <set>

#include "platform/base/clock.hpp"
#include "platform/base/mutex.hpp"
#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"
#include "platform/base/thread.hpp"
#include "platform/http/bodies.hpp"
#include "platform/http/listening_asio.hpp"
#include "platform/http/local_files.hpp"
#include "platform/http/server.hpp"
#include "platform/http/ticket_asio.hpp"
#include "platform/http/wire_text.hpp"

namespace millrace {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;
using Local = asio::generic::stream_protocol;  // a Unix socket, or its stand-in on Windows
using Tcp = asio::ip::tcp;
using Socket = Local::socket;
using PlainStream = beast::basic_stream<Local>;
using TlsStream = beast::ssl_stream<PlainStream>;

constexpr std::uint32_t kHeaderLimit = 16 * 1024;
constexpr std::size_t kChunk = 64 * 1024;
constexpr std::chrono::seconds kLingerIdle{2};
constexpr std::chrono::seconds kLinger{10};

// What connections need from their server.
struct Shared {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<Mailbox> mailbox;
  std::function<void(const std::shared_ptr<Connection>&)> ended;
  bool stopping = false;
};

// waiting -> head -> body -> working -> answering -> waiting, or lingering -> ended.
// Every state may go to ended; head and body go straight to answering for an early answer.
enum class Phase { Waiting, Head, Body, Working, Answering, Lingering, Ended };

template <typename Stream>
class Session final : public Connection {
 public:
  template <typename... More>
  Session(Shared& shared, Socket socket, More&... more)
      : shared_(shared),
        stream_(std::move(socket), more...),
        sink_(shared.options.spool_dir, shared.options.spool_above) {}

  void start() override {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      lowest().expires_after(shared_.options.head_timeout);
      stream_.async_handshake(ssl::stream_base::server, on([this](error_code error) {
                                if (error) return end();
                                wait_request();
                              }));
    } else {
      wait_request();
    }
  }

  void deliver(ServerResponse response) override {
    if (phase_ == Phase::Working) answer(std::move(response));
  }

  void close_unless_answering() override {
    if (phase_ < Phase::Working) end();
  }

  void close() override { end(); }

 private:
  PlainStream& lowest() { return beast::get_lowest_layer(stream_); }

  // Keeps the session alive for one callback; nothing runs once it has ended.
  template <typename F>
  auto on(F work) {
    return [self = shared_from_this(), this, work](error_code error, auto&&...) {
      if (phase_ != Phase::Ended) work(error);
    };
  }

  void end() {
    if (phase_ == Phase::Ended) return;
    phase_ = Phase::Ended;
    lowest().close();
    sink_.reset();
    request_.reset();
    source_.reset();
    shared_.ended(shared_from_this());
  }

  void wait_request() {
    if (shared_.stopping) return end();
    phase_ = Phase::Waiting;
    parser_.emplace();
    parser_->header_limit(kHeaderLimit);
    parser_->body_limit(
        std::numeric_limits<std::uint64_t>::max());  // counted here, so that `admit` is asked first
    if (buffer_.size() > 0) return read_head();
    lowest().expires_after(shared_.options.idle_timeout);
    auto self = shared_from_this();
    stream_.async_read_some(buffer_.prepare(4096), [self, this](error_code error, std::size_t n) {
      if (phase_ == Phase::Ended) return;
      if (error) return end();
      buffer_.commit(n);
      read_head();
    });
  }

  void read_head() {
    phase_ = Phase::Head;
    lowest().expires_after(shared_.options.head_timeout);
    http::async_read_header(stream_, buffer_, *parser_,
                            on([this](error_code error) { on_head(error); }));
  }

  void on_head(error_code error) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return refuse(431, "header_too_large", "the head is larger than 16 KiB");
    if (error == http::error::end_of_stream || error == http::error::partial_message) return end();
    if (error && error.category() == http::make_error_code(http::error::bad_method).category())
      return refuse(400, "bad_request", error.message());
    if (error) return end();
    fill_request();
  }

  void fill_request() {
    const auto& head = parser_->get();
    request_ = new_server_request();
    request_->method = std::string(head.method_string());
    is_head_ = head.method() == http::verb::head;
    keep_ = head.keep_alive();
    for (const auto& field : head) {
      const auto name = field.name_string();
      request_->headers.emplace_back(to_lower_ascii({name.data(), name.size()}),
                                     std::string(field.value()));
    }
    const auto target = head.target();
    auto parsed = parse_target({target.data(), target.size()});
    if (!parsed) return refuse(400, "bad_request", parsed.error().message);
    request_->path = std::move(parsed->path);
    request_->query = std::move(parsed->query);
    if (head.version() != 10 && head.version() != 11)
      return refuse(400, "bad_request", "this is not HTTP/1.1");
    if (auto framed = check_framing(request_->headers, head.version() == 11); !framed)
      return refuse(400, "bad_request", framed.error().message);
    admit();
  }

  void admit() {
    if (shared_.options.admit) {
      if (auto early = shared_.options.admit(*request_)) return refuse(std::move(*early));
    }
    const auto length = parser_->content_length();
    if (length && *length > shared_.options.max_body) return refuse_large();
    const std::string_view expect = request_->header("expect");
    if (parser_->is_done()) return dispatch();
    phase_ = Phase::Body;
    body_began_ = std::chrono::steady_clock::now();
    if (expect.empty()) return read_body();
    if (to_lower_ascii(expect) != "100-continue")
      return refuse(417, "bad_request", "only 100-continue can be expected");
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    lowest().expires_after(shared_.options.idle_timeout);
    asio::async_write(stream_, asio::buffer(kContinue), on([this](error_code error) {
                        if (error) return end();
                        read_body();
                      }));
  }

  void read_body() {
    parser_->get().body().data = chunk_.data();
    parser_->get().body().size = chunk_.size();
    lowest().expires_after(shared_.options.idle_timeout);
    http::async_read_some(stream_, buffer_, *parser_,
                          on([this](error_code error) { on_body(error); }));
  }

  void on_body(error_code error) {
    if (error == http::error::need_buffer) error = {};
    if (error && error != http::error::partial_message &&
        error.category() == http::make_error_code(http::error::bad_method).category())
      return refuse(400, "bad_request", error.message());
    if (error) return end();
    const std::size_t got = chunk_.size() - parser_->get().body().size;
    if (request_->body_size + got > shared_.options.max_body) return refuse_large();
    if (auto took = sink_.take(*request_, {chunk_.data(), got}); !took)
      return refuse(507, "no_space", took.error().message);
    if (parser_->is_done()) return dispatch();
    if (too_slow()) return end();
    read_body();
  }

  bool too_slow() const {
    const auto spent = std::chrono::steady_clock::now() - body_began_;
    if (spent < shared_.options.idle_timeout) return false;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(spent).count();
    return request_->body_size / static_cast<std::uint64_t>(std::max<long>(seconds, 1)) <
           shared_.options.min_upload_rate;
  }

  void dispatch() {
    if (auto closed = sink_.finish(); !closed)
      return refuse(507, "no_space", closed.error().message);
    phase_ = Phase::Working;
    lowest().expires_never();
    auto ticket = std::make_shared<Ticket>(shared_.mailbox, weak_from_this());
    shared_.handler(std::move(request_),
                    [ticket](ServerResponse response) { ticket->answer(std::move(response)); });
  }

  void refuse_large() {
    refuse(413, "too_large",
           "the body is larger than " + std::to_string(shared_.options.max_body) + " bytes");
  }
  void refuse(int status, std::string_view code, std::string_view message) {
    refuse(error_response(status, code, message));
  }
  // An answer before the end of the request: where the next one begins is not known.
  void refuse(ServerResponse response) {
    keep_ = false;
    sink_.reset();
    request_.reset();
    answer(std::move(response));
  }

  void answer(ServerResponse response) {
    phase_ = Phase::Answering;
    source_.begin(std::move(response));
    const bool close = !keep_ || shared_.stopping;
    keep_ = !close;
    head_ = response_head(source_.response(), {source_.length(), close}, SystemClock().wall_now());
    const int status = source_.response().status;
    if (is_head_ || status == 204 || status == 304) source_.skip_body();
    write_more();
  }

  void write_more() {
    std::string_view piece;
    if (!source_.done()) {
      piece = source_.next(chunk_);
      if (piece.empty()) return end();  // a short file must not look whole
    }
    const std::array<asio::const_buffer, 2> buffers = {
        asio::buffer(head_), asio::const_buffer(piece.data(), piece.size())};
    lowest().expires_after(shared_.options.idle_timeout);
    asio::async_write(stream_, buffers, on([this](error_code error) {
                        if (error) return end();
                        head_.clear();
                        if (!source_.done()) return write_more();
                        source_.reset();
                        if (keep_) return wait_request();
                        linger();
                      }));
  }

  // Half a close, then the rest of the upload is thrown away: closing with unread bytes sends a
  // reset, which may overtake the answer (RFC 9112, 9.6).
  void linger() {
    phase_ = Phase::Lingering;
    linger_until_ = std::chrono::steady_clock::now() + kLinger;
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      lowest().expires_after(kLingerIdle);
      stream_.async_shutdown(on([this](error_code) { half_close(); }));
    } else {
      half_close();
    }
  }
  void half_close() {
    error_code error;
    lowest().socket().shutdown(Socket::shutdown_send, error);
    if (error) return end();
    drain();
  }
  void drain() {
    if (std::chrono::steady_clock::now() > linger_until_) return end();
    lowest().expires_after(kLingerIdle);
    lowest().async_read_some(asio::buffer(chunk_), on([this](error_code error) {
                               if (error) return end();
                               drain();
                             }));
  }

  Shared& shared_;
  Stream stream_;
  Phase phase_ = Phase::Waiting;
  beast::flat_buffer buffer_{2 * kChunk};
  std::optional<http::request_parser<http::buffer_body>> parser_;
  std::array<char, kChunk> chunk_{};
  std::shared_ptr<ServerRequest> request_;
  BodySink sink_;
  TimePoint body_began_{};
  TimePoint linger_until_{};
  bool is_head_ = false;
  bool keep_ = false;
  std::string head_;
  AnswerSource source_;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(ServerOptions options, Handler handler) {
    shared_.options = std::move(options);
    shared_.handler = std::move(handler);
    shared_.mailbox = std::make_shared<Mailbox>(io_);
    shared_.ended = [this](const std::shared_ptr<Connection>& connection) { forget(connection); };
  }
  ~BeastServer() override { stop(std::chrono::milliseconds{0}); }

  Result<void> open() {
    if (!shared_.options.certificate.empty()) {
      auto context = server_tls_context(shared_.options);
      if (!context) return std::unexpected(context.error());
      tls_ = std::move(*context);
    }
    auto opened = shared_.options.unix_socket.empty() ? open_tcp() : open_local();
    if (!opened) return opened;
    accept();
    thread_ = start_thread("http", [this](const std::stop_token&) { io_.run(); });
    return {};
  }

  std::string address() const override { return address_; }

  void stop(std::chrono::milliseconds patience) override {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] { stop_accepting(); });
    {
      const auto deadline = std::chrono::steady_clock::now() + patience;
      MutexLock lock(mutex_);
      while (!drained_ && empty_.wait_until(lock, deadline)) {
      }
    }
    shared_.mailbox->close();
    asio::post(io_, [this] {
      for (const auto& connection : std::set(connections_)) connection->close();
      work_.reset();
    });
    thread_.join();
    if (!shared_.options.unix_socket.empty())
      remove_local_socket(shared_.options.unix_socket, local_file_);
  }

 private:
  Result<void> open_tcp() {
    auto opened = open_tcp_acceptor(io_, shared_.options.address);
    if (!opened) return std::unexpected(opened.error());
    tcp_.emplace(std::move(opened->acceptor));
    address_ = (tls_ ? "https://" : "http://") + opened->shown;
    return {};
  }

  Result<void> open_local() {
    const auto listener = listen_local(shared_.options.unix_socket);
    if (!listener) return std::unexpected(listener.error());
    local_.emplace(io_, Local(listener->family, 0),
                   static_cast<Socket::native_handle_type>(listener->socket));
    local_file_ = listener->file;
    if (!listener->token.empty()) ask_for(listener->token);
    address_ = path_text(shared_.options.unix_socket);
    return {};
  }

  void ask_for(const std::string& token) {
    shared_.options.admit = [wanted = "Bearer " + token, then = std::move(shared_.options.admit)](
                                ServerRequest& request) -> std::optional<ServerResponse> {
      if (request.header("authorization") != wanted)
        return error_response(401, "token", "the token of this server is missing");
      return then ? then(request) : std::nullopt;
    };
  }

  void accept() {
    if (tcp_) accept_on(*tcp_);
    if (local_) accept_on(*local_);
  }

  // Above max_connections nothing is accepted; the kernel's backlog keeps them waiting.
  template <typename Acceptor>
  void accept_on(Acceptor& acceptor) {
    paused_ = connections_.size() >= static_cast<std::size_t>(shared_.options.max_connections);
    if (paused_) return;
    acceptor.async_accept([this](error_code error, auto socket) {
      if (shared_.stopping || error == asio::error::operation_aborted) return;
      if (error) return accept_later();  // out of descriptors: the pending one stays in the backlog
      close_on_exec(static_cast<std::intptr_t>(socket.native_handle()));
      add(std::move(socket));
      accept();
    });
  }
  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds{100});
    retry_.async_wait([this](error_code error) {
      if (!error && !shared_.stopping) accept();
    });
  }

  template <typename Accepted>
  void add(Accepted socket) {
    if constexpr (std::is_same_v<Accepted, Tcp::socket>) {
      error_code ignored;
      socket.set_option(Tcp::no_delay(true), ignored);
    }
    std::shared_ptr<Connection> connection;
    if (tls_) {
      connection = std::make_shared<Session<TlsStream>>(shared_, Socket(std::move(socket)), *tls_);
    } else {
      connection = std::make_shared<Session<PlainStream>>(shared_, Socket(std::move(socket)));
    }
    connections_.insert(connection);
    connection->start();
  }

  void forget(const std::shared_ptr<Connection>& connection) {
    connections_.erase(connection);
    if (shared_.stopping) return note_drained();
    if (paused_) accept();
  }

  void stop_accepting() {
    shared_.stopping = true;
    error_code ignored;
    if (tcp_) static_cast<void>(tcp_->close(ignored));
    if (local_) static_cast<void>(local_->close(ignored));
    retry_.cancel();
    for (const auto& connection : std::set(connections_)) connection->close_unless_answering();
    note_drained();
  }

  void note_drained() {
    if (!connections_.empty()) return;
    const MutexLock lock(mutex_);
    drained_ = true;
    empty_.notify_all();
  }

  // -- fixed after open() ------------------------------------------------------------------------
  asio::io_context io_{1};
  std::unique_ptr<ssl::context> tls_;
  std::string address_;
  std::uint64_t local_file_ = 0;
  // -- the server's thread only ------------------------------------------------------------------
  Shared shared_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::optional<Tcp::acceptor> tcp_;
  std::optional<asio::basic_socket_acceptor<Local>> local_;
  asio::steady_timer retry_{io_};
  std::set<std::shared_ptr<Connection>> connections_;
  bool paused_ = false;
  // -- guarded -----------------------------------------------------------------------------------
  Mutex mutex_;
  CondVar empty_;
  bool drained_ GUARDED_BY(mutex_) = false;

  std::jthread thread_;  // last: joined before anything above goes
};

}  // namespace

Result<std::unique_ptr<HttpServer>> start_http_server(ServerOptions options, Handler handler) {
  if (options.unix_socket.empty() == options.address.empty())
    return fail(ErrorKind::Configuration, "listen on a Unix socket or on an address, not on both");
  if (options.certificate.empty() != options.private_key.empty())
    return fail(ErrorKind::Configuration,
                "a certificate needs its private key, and a key needs "
                "its certificate");
  auto server = std::make_unique<BeastServer>(std::move(options), std::move(handler));
  if (auto opened = server->open(); !opened) return std::unexpected(opened.error());
  return server;
}

}  // namespace millrace
