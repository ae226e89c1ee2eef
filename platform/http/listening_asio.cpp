#include "platform/http/listening_asio.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "platform/base/native_path.hpp"
#include "platform/http/local_files.hpp"
#include "platform/http/wire_text.hpp"

namespace millrace {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

std::unexpected<Error> refused(const std::string& what, const error_code& error) {
  return fail(ErrorKind::Configuration, what + ": " + error.message(), error.value());
}

// OpenSSL has no words of its own for a file that cannot be opened.
std::string why_unusable(const std::filesystem::path& file, const error_code& error) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return "no such file";
  errno = 0;
  if (!std::ifstream(file))
    return "this account may not read it: " + std::generic_category().message(errno);
  return error.message() + "; a PEM file is needed";
}

std::unexpected<Error> unusable(const std::string& what, const std::filesystem::path& file,
                                const error_code& error) {
  return fail(ErrorKind::Configuration,
              what + " " + path_text(file) + ": " + why_unusable(file, error));
}

}  // namespace

Result<std::unique_ptr<ssl::context>> server_tls_context(const ServerOptions& options) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  error_code error;
  // An encrypted key must fail, never ask on the terminal of a service.
  const auto no_password = [](auto, auto) { return std::string(); };
  if (context->set_password_callback(no_password, error))
    return unusable("private key", options.private_key, error);
  if (context->use_certificate_chain_file(path_text(options.certificate), error))
    return unusable("certificate", options.certificate, error);
  if (context->use_private_key_file(path_text(options.private_key), ssl::context::pem, error))
    return unusable("private key", options.private_key, error);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1)
    return fail(ErrorKind::Configuration, "certificate and private key do not belong together");
  return context;
}

Result<TcpAcceptor> open_tcp_acceptor(asio::io_context& io, const std::string& address) {
  const auto place = parse_host_port(address);
  if (!place) return std::unexpected(place.error());
  const std::string what = "listen on " + address;
  error_code error;
  const auto host = asio::ip::make_address(place->host, error);
  if (error) return refused(what, error);
  const Tcp::endpoint endpoint(host, place->port);
  Tcp::acceptor acceptor(io);
  if (acceptor.open(endpoint.protocol(), error)) return refused(what, error);
  prepare_listener(static_cast<std::intptr_t>(acceptor.native_handle()));
  if (acceptor.bind(endpoint, error)) {
    if (error == asio::error::address_in_use)
      return fail(ErrorKind::Exists, what + ": somebody else does already", error.value());
    return refused(what, error);
  }
  if (acceptor.listen(Tcp::acceptor::max_listen_connections, error)) return refused(what, error);
  const auto bound = acceptor.local_endpoint(error);
  const std::string shown = host.is_v6() ? "[" + place->host + "]" : place->host;
  return TcpAcceptor{std::move(acceptor), shown + ":" + std::to_string(bound.port())};
}

}  // namespace millrace
