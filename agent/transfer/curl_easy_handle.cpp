#include "agent/transfer/curl_easy_handle.hpp"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <utility>

#include "agent/transfer/address_rule.hpp"
#include "platform/base/socket.hpp"
#include "platform/base/trust.hpp"

namespace millrace {
namespace {

// Sets options until one is refused.
class Options {
 public:
  explicit Options(void* easy) : easy_(easy) {}
  template <typename T>
  Options& operator()(CURLoption option, T value) {
    ok_ = ok_ && curl_easy_setopt(easy_, option, value) == CURLE_OK;
    return *this;
  }
  bool ok() const { return ok_; }

 private:
  void* easy_;
  bool ok_ = true;
};

curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  return static_cast<curl_socket_t>(
      open_cloexec_socket(address->family, address->socktype, address->protocol));
}

curl_socket_t open_public_socket(void* refused, curlsocktype type, curl_sockaddr* address) {
  if (is_public_address(bytes_of_address(&address->addr)))
    return open_socket(nullptr, type, address);
  *static_cast<bool*>(refused) = true;
  return CURL_SOCKET_BAD;
}

// libcurl rewinds a body to send a POST again on its own when a reused connection dies. Refusing
// keeps every request on the wire an attempt that was recorded.
int refuse_seek(void*, curl_off_t, int) { return CURL_SEEKFUNC_FAIL; }

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";  // RFC 9110 5.6.2
  return !name.empty() && std::ranges::all_of(name, [&](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.contains(static_cast<char>(c));
  });
}

bool is_value(std::string_view value) {
  return value.find_first_of(std::string_view{"\r\n\0", 3}) == value.npos;
}

bool names(const Headers& headers, std::string_view lower) {
  return std::ranges::any_of(headers, [&](const auto& field) {
    return std::ranges::equal(field.first, lower, [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
  });
}

// OpenSSL takes a TLS 1.3 session out of use when the first handshake with it ends, and libcurl
// learns the next one only with the first answer: connections made in between would not be resumed.
// Without a cache at that moment nothing is taken out; afterwards the cache reports new sessions.
void keep_session_usable(const SSL* tls, int where, int) {
  SSL_CTX* const context = SSL_get_SSL_CTX(tls);
  // Encrypted extensions exist in TLS 1.3 only.
  if ((where & SSL_CB_LOOP) != 0 && SSL_get_state(tls) == TLS_ST_CR_ENCRYPTED_EXTENSIONS)
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

using NewSession = int (*)(SSL*, SSL_SESSION*);
// libcurl's own, the same for every context; atomic, since several network threads set it.
std::atomic<NewSession> remember_session{nullptr};

// OpenSSL takes the session of a connection that ends without a goodbye out of use, as happens
// after GOAWAY. So libcurl remembers a copy of it.
int remember_copy(SSL* tls, SSL_SESSION* session) {
  SSL_SESSION* const copy = SSL_SESSION_dup(session);
  if (copy != nullptr && remember_session.load()(tls, copy) == 0) SSL_SESSION_free(copy);
  return 0;  // the session itself was not taken
}

CURLcode on_tls_context(CURL*, void* context, void*) {
  auto* const tls = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_info_callback(tls, &keep_session_usable);
  if (const NewSession theirs = SSL_CTX_sess_get_new_cb(tls); theirs != nullptr) {
    remember_session = theirs;
    SSL_CTX_sess_set_new_cb(tls, &remember_copy);
  }
  return CURLE_OK;
}

// The connection's TLS, if it has one and libcurl's is OpenSSL.
SSL* tls_of(void* easy) {
  const curl_tlssessioninfo* tls = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || !tls) return nullptr;
  return tls->backend == CURLSSLBACKEND_OPENSSL ? static_cast<SSL*>(tls->internals) : nullptr;
}

}  // namespace

std::string system_trust_file() {
  const curl_version_info_data* curl = curl_version_info(CURLVERSION_NOW);
  std::vector<std::string> places = system_trust_files();
  if (curl->age >= CURLVERSION_TENTH && curl->cainfo) places.insert(places.begin(), curl->cainfo);
  std::error_code ignored;
  for (const std::string& place : places)
    if (std::filesystem::is_regular_file(place, ignored)) return place;
  return {};
}

Result<EasyHandle> EasyHandle::make(const CurlOptions& options, void* share,
                                    const EasyCallbacks& callbacks) {
  EasyHandle handle{curl_easy_init()};
  handle.keeps_public_ = options.public_connections == PublicConnections::Kept;
  if (!handle.easy_ || !handle.set_fixed(options, share, callbacks))
    return fail(ErrorKind::Defect, "libcurl refuses an option that every request needs");
  return handle;
}

EasyHandle::EasyHandle(EasyHandle&& other) noexcept
    : easy_(std::exchange(other.easy_, nullptr)),
      headers_(std::exchange(other.headers_, nullptr)),
      keeps_public_(other.keeps_public_),
      url_(std::move(other.url_)),
      trust_(std::move(other.trust_)),
      unix_socket_(std::move(other.unix_socket_)),
      method_(std::move(other.method_)),
      protocol_(std::move(other.protocol_)) {}

EasyHandle::~EasyHandle() {
  if (easy_) curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

bool EasyHandle::set_fixed(const CurlOptions& options, void* share,
                           const EasyCallbacks& callbacks) {
  Options set{easy_};
  set(CURLOPT_PRIVATE, callbacks.self)(CURLOPT_ERRORBUFFER, callbacks.error_text);
  set(CURLOPT_READFUNCTION, callbacks.read)(CURLOPT_READDATA, callbacks.self);
  set(CURLOPT_HEADERFUNCTION, callbacks.header)(CURLOPT_HEADERDATA, callbacks.self);
  set(CURLOPT_WRITEFUNCTION, callbacks.write)(CURLOPT_WRITEDATA, callbacks.self);
  set(CURLOPT_PREREQFUNCTION, callbacks.connected)(CURLOPT_PREREQDATA, callbacks.self);
  set(CURLOPT_SEEKFUNCTION, &refuse_seek)(CURLOPT_OPENSOCKETDATA, callbacks.address_refused);
  // A handle's own memory of sessions would depend on which handle a request happens to get.
  if (share) set(CURLOPT_SHARE, share)(CURLOPT_SSL_CTX_FUNCTION, &on_tls_context);
  if (!share) set(CURLOPT_SSL_SESSIONID_CACHE, 0L);

  // What is asked, and nothing that the environment or the user's home adds to it.
  set(CURLOPT_NOSIGNAL, 1L)(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED))(CURLOPT_PROXY, "");
  set(CURLOPT_FOLLOWLOCATION, 0L)(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_PATH_AS_IS, 1L)(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_USERAGENT, options.user_agent.c_str());
  const bool http2 = options.version == HttpVersion::Http2;
  set(CURLOPT_HTTP_VERSION,
      static_cast<long>(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  // A first request tells whether the server has HTTP/2; the others wait for it, not for TLS.
  set(CURLOPT_PIPEWAIT, http2 ? 1L : 0L);

  set(CURLOPT_SSL_VERIFYPEER, 1L)(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // With a folder of certificates beside the bundle libcurl cannot keep the parsed bundle, and
  // parsing it costs more than the handshake.
  set(CURLOPT_CAPATH, static_cast<char*>(nullptr));

  set(CURLOPT_EXPECT_100_TIMEOUT_MS, static_cast<long>(options.wait_for_continue.count()));
  set(CURLOPT_BUFFERSIZE, 32L * 1024);
  // A connection that the server closed is noticed before a request goes into it. What remains is
  // the moment in which both act: so ours come before the 60 s and 75 s of many servers.
  set(CURLOPT_MAXAGE_CONN, 50L);
  set(CURLOPT_MAXLIFETIME_CONN, static_cast<long>(options.longest_connection.count()));
  set(CURLOPT_TCP_NODELAY, 1L)(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, 30L)(CURLOPT_TCP_KEEPINTVL, 15L);
  return set.ok();
}

Result<void> EasyHandle::prepare(const HttpRequest& request, const Target& target,
                                 const std::string& default_trust) {
  if (auto headers = set_headers(request); !headers) return headers;
  const std::string& trust = request.ca_file.empty() ? default_trust : request.ca_file;
  if (!set_target(request, target, trust) || !set_body(request))
    return fail(ErrorKind::Defect, "libcurl refuses an option of the request to " + target.host);
  return {};
}

bool EasyHandle::set_target(const HttpRequest& request, const Target& target,
                            const std::string& trust) {
  Options set{easy_};
  const auto text_if_new = [&](CURLoption option, std::string& held, const std::string& wanted) {
    if (held == wanted) return;
    held = wanted;
    set(option, wanted.empty() ? nullptr : wanted.c_str());
  };
  text_if_new(CURLOPT_URL, url_, request.url);
  text_if_new(CURLOPT_CAINFO, trust_, trust);
  // Without a file Windows has its store; elsewhere libcurl knows of none and trusts nobody.
  set(CURLOPT_SSL_OPTIONS, trust.empty() ? static_cast<long>(CURLSSLOPT_NATIVE_CA) : 0L);
  text_if_new(CURLOPT_UNIX_SOCKET_PATH, unix_socket_, request.unix_socket);
  text_if_new(CURLOPT_PROTOCOLS_STR, protocol_, target.plain ? "http" : "https");
  const bool any = request.addresses == AddressRule::Any;
  set(CURLOPT_OPENSOCKETFUNCTION, any ? &open_socket : &open_public_socket);
  const auto connect =
      std::chrono::duration_cast<std::chrono::milliseconds>(request.timeouts.connect).count();
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(connect, 1)));
  return set.ok();
}

bool EasyHandle::set_body(const HttpRequest& request) {
  Options set{easy_};
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.body_length > 0 || !reads) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body_length));
  } else {
    set(CURLOPT_HTTPGET, 1L);
  }
  if (request.method == "HEAD") set(CURLOPT_NOBODY, 1L);
  if (method_ != request.method) {
    method_ = request.method;
    set(CURLOPT_CUSTOMREQUEST, method_.c_str());
  }
  // Without a body there is nothing whose rewind could be refused; and a connection that is there
  // may have been made where this request must not go.
  const bool must_look = request.addresses == AddressRule::PublicOnly && !keeps_public_;
  const bool fresh = (!reads && request.body_length == 0) || must_look;
  set(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  return set.ok();
}

Result<void> EasyHandle::set_headers(const HttpRequest& request) {
  curl_slist_free_all(std::exchange(headers_, nullptr));
  std::string line;
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) return fail(ErrorKind::Defect, "a header's name is not one");
    if (!is_value(value)) return fail(ErrorKind::Defect, "line end in the header " + name);
    // libcurl's way of an empty value is a semicolon, "Name:" would remove the header.
    line = value.empty() ? name + ";" : name + ": " + value;
    curl_slist* longer = curl_slist_append(headers_, line.c_str());
    if (!longer) return fail(ErrorKind::Environment, "out of memory");
    headers_ = longer;
  }
  // libcurl would call any body a form.
  if (!names(request.headers, "content-type")) {
    curl_slist* longer = curl_slist_append(headers_, "Content-Type:");
    if (!longer) return fail(ErrorKind::Environment, "out of memory");
    headers_ = longer;
  }
  if (curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_) != CURLE_OK)
    return fail(ErrorKind::Defect, "libcurl refuses the headers");
  return {};
}

bool EasyHandle::is_new_connection() const {
  long made = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &made);
  return made > 0;
}

bool EasyHandle::is_resumed() const {
  SSL* const tls = tls_of(easy_);
  return tls != nullptr && SSL_session_reused(tls) == 1;
}

std::optional<std::intptr_t> EasyHandle::idle_socket() const {
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &socket);
  if (socket == CURL_SOCKET_BAD) return std::nullopt;
  return static_cast<std::intptr_t>(socket);
}

}  // namespace millrace
