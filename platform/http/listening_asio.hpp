// Where the server listens and how it speaks TLS. Included by sources of this unit only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "platform/base/result.hpp"
#include "platform/http/server.hpp"

namespace millrace {

// TLS 1.2 or newer with the certificate and key of the options; Configuration if they do not load
// or do not belong together.
Result<std::unique_ptr<boost::asio::ssl::context>> server_tls_context(const ServerOptions& options);

struct TcpAcceptor {
  boost::asio::ip::tcp::acceptor acceptor;  // listening, closed on exec
  std::string shown;                        // host and the port that was taken
};
Result<TcpAcceptor> open_tcp_acceptor(boost::asio::io_context& io, const std::string& address);

}  // namespace millrace
