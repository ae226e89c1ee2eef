// The one place where libcurl's handles get their options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/transfer/curl_http.hpp"
#include "agent/transfer/transfer_error.hpp"
#include "agent/transfer/url_rule.hpp"

struct curl_slist;

namespace millrace {

// The callbacks that a handle gets, in the shapes of curl/curl.h. All receive `self`.
struct EasyCallbacks {
  void* self = nullptr;
  std::size_t (*read)(char*, std::size_t, std::size_t, void*) = nullptr;
  std::size_t (*header)(char*, std::size_t, std::size_t, void*) = nullptr;
  std::size_t (*write)(char*, std::size_t, std::size_t, void*) = nullptr;
  int (*connected)(void*, char*, char*, int, int) = nullptr;
  char* error_text = nullptr;       // CURL_ERROR_SIZE bytes
  bool* address_refused = nullptr;  // set when AddressRule kept a connection from being made
};

// One easy handle that is used for request after request. Network thread only.
class EasyHandle {
 public:
  // Defect if libcurl refuses an option: a handle without one of its guards is never used.
  static Result<EasyHandle> make(const CurlOptions& options, void* share,
                                 const EasyCallbacks& callbacks);
  EasyHandle(EasyHandle&& other) noexcept;
  EasyHandle& operator=(EasyHandle&&) = delete;
  ~EasyHandle();

  // Options of one request; those of the one before are replaced.
  Result<void> prepare(const HttpRequest& request, const Target& target,
                       const std::string& default_trust);
  void* get() const { return easy_; }
  // Was the connection made for this request, and did it resume a TLS session? In `connected`.
  bool is_new_connection() const;
  bool is_resumed() const;
  // The socket of the connection that went back to the pool when the request ended; nothing if it
  // was closed. Between the end that libcurl reports and the next request.
  std::optional<std::intptr_t> idle_socket() const;

 private:
  explicit EasyHandle(void* easy) : easy_(easy) {}
  bool set_fixed(const CurlOptions& options, void* share, const EasyCallbacks& callbacks);
  bool set_target(const HttpRequest& request, const Target& target, const std::string& trust);
  bool set_body(const HttpRequest& request);
  Result<void> set_headers(const HttpRequest& request);

  void* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  bool keeps_public_ = false;  // PublicConnections::Kept
  // What the handle holds already, so that an equal request sets nothing twice.
  std::string url_, trust_, unix_socket_, method_;
  std::string protocol_;
};

// The system's bundle of trusted certificates; empty if there is none.
std::string system_trust_file();

}  // namespace millrace
