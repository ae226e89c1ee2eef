#include "tests/http/made_up_ca.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <cstdio>
#include <memory>

namespace millrace::test {
namespace {

namespace asio = boost::asio;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate make(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  Certificate made(X509_new(), X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 86400);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer ? issuer : made.get()));
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer ? issuer : made.get(), made.get(), nullptr, nullptr, 0);
  X509_EXTENSION* extension =
      issuer == nullptr
          ? X509V3_EXT_conf_nid(nullptr, &context, NID_basic_constraints, "critical,CA:TRUE")
          : X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(made.get(), extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(made.get(), issuer_key, EVP_sha256());
  return made;
}

template <typename Write>
void save(const std::filesystem::path& path, Write write) {
  std::FILE* file = std::fopen(path.string().c_str(), "wb");
  write(file);
  std::fclose(file);
}

}  // namespace

MadeUpCa make_ca(const std::filesystem::path& folder) {
  const Key ca_key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const auto ca = make("made-up CA", ca_key.get(), nullptr, ca_key.get());
  const auto leaf = make("127.0.0.1", key.get(), ca.get(), ca_key.get());
  const MadeUpCa out{folder / "ca.pem", folder / "cert.pem", folder / "key.pem"};
  save(out.ca, [&](std::FILE* f) { PEM_write_X509(f, ca.get()); });
  save(out.certificate, [&](std::FILE* f) { PEM_write_X509(f, leaf.get()); });
  save(out.key, [&](std::FILE* f) {
    PEM_write_PrivateKey(f, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return out;
}

TlsAnswer ask_tls(const std::string& address, const std::filesystem::path& ca,
                  const std::string& request, Offer offer) {
  asio::io_context io;
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.load_verify_file(ca.string());
  context.set_verify_mode(asio::ssl::verify_peer);
  if (offer == Offer::AtMostTls11) {
    SSL_CTX_set_security_level(context.native_handle(), 0);
    SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_1_VERSION);
  }
  asio::ssl::stream<asio::ip::tcp::socket> stream(io, context);
  const auto port = static_cast<unsigned short>(std::stoi(address.substr(address.rfind(':') + 1)));
  stream.next_layer().connect({asio::ip::address_v4::loopback(), port});
  boost::system::error_code error;
  TlsAnswer answer;
  if (stream.handshake(asio::ssl::stream_base::client, error)) return answer;
  answer.shaken = true;
  asio::write(stream, asio::buffer(request), error);
  asio::read(stream, asio::dynamic_buffer(answer.text), error);
  return answer;
}

}  // namespace millrace::test
