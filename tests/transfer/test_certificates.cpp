#include "tests/transfer/test_certificates.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

#include "platform/base/native_path.hpp"

namespace millrace::test {
namespace {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* it) const {
    Free(it);
  }
};
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, FreeWith<X509_free>>;
using File = std::unique_ptr<BIO, FreeWith<BIO_free>>;

File open_file(const std::filesystem::path& path, const char* mode) {
  File file{BIO_new_file(path_text(path).c_str(), mode)};
  if (!file) throw std::runtime_error("cannot open " + path_text(path));
  return file;
}

void add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (!extension) throw std::runtime_error("bad extension " + value);
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

Cert make_cert(EVP_PKEY* key, const std::string& name, const Leaf& leaf) {
  static long serial = 1;
  Cert cert{X509_new()};
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), 86400L * leaf.valid_from_days);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86400L * leaf.valid_to_days);
  X509_set_pubkey(cert.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return cert;
}

Certificate save(const std::filesystem::path& folder, const std::string& name, X509* cert,
                 EVP_PKEY* key) {
  const Certificate paths{folder / (name + ".crt"), folder / (name + ".key")};
  const File cert_file = open_file(paths.certificate, "w");
  PEM_write_bio_X509(cert_file.get(), cert);
  const File key_file = open_file(paths.key, "w");
  PEM_write_bio_PrivateKey(key_file.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return paths;
}

}  // namespace

TestAuthority::TestAuthority(std::filesystem::path folder) : folder_(std::move(folder)) {
  const Key key{EVP_EC_gen("P-256")};
  const Cert cert = make_cert(key.get(), "Test authority", {});
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  add_extension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(cert.get(), key.get(), EVP_sha256());
  ca_ = save(folder_, "ca", cert.get(), key.get());
}

std::string TestAuthority::trust_file() const { return path_text(ca_.certificate); }

Certificate TestAuthority::issue(const std::string& name, const Leaf& leaf) const {
  const File ca_file = open_file(ca_.certificate, "r");
  const Cert ca{PEM_read_bio_X509(ca_file.get(), nullptr, nullptr, nullptr)};
  const File ca_key_file = open_file(ca_.key, "r");
  const Key ca_key{PEM_read_bio_PrivateKey(ca_key_file.get(), nullptr, nullptr, nullptr)};
  const Key key{EVP_EC_gen("P-256")};
  const Cert cert = make_cert(key.get(), name, leaf);
  X509_set_issuer_name(cert.get(), X509_get_subject_name(ca.get()));
  add_extension(cert.get(), ca.get(), NID_subject_alt_name, leaf.names);
  X509_sign(cert.get(), ca_key.get(), EVP_sha256());
  return save(folder_, name, cert.get(), key.get());
}

Certificate TestAuthority::self_signed(const std::string& name) const {
  const Key key{EVP_EC_gen("P-256")};
  const Cert cert = make_cert(key.get(), name, {});
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  add_extension(cert.get(), cert.get(), NID_subject_alt_name, Leaf{}.names);
  X509_sign(cert.get(), key.get(), EVP_sha256());
  return save(folder_, name, cert.get(), key.get());
}

}  // namespace millrace::test
