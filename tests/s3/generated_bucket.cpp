// An S3 server whose bucket `bkt` is made up as it is asked for: under `in/` as many pictures as
// the command line says, under `out/` the results of all but every thousandth, and what was put
// there. It keeps nothing but that. Prints where it listens, and ends when its standard input does.
//
//   GET /_control/counts    how often it was asked for what
//
// Not in it: signatures (none is looked at), other prefixes, multipart uploads.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "platform/http/server.hpp"

namespace {

using namespace millrace;

constexpr std::size_t kPage = 1000;

std::string key_at(std::size_t index, bool result) {
  std::array<char, 64> key{};
  std::snprintf(key.data(), key.size(), result ? "out/f%08zu.webp" : "in/f%08zu.png", index);
  return key.data();
}

std::string etag_of(const std::string& key) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%032zx", std::hash<std::string>{}(key));
  return text.data();
}

class GeneratedBucket {
 public:
  GeneratedBucket(std::size_t size, std::size_t each, std::size_t bytes)
      : size_(size), each_(each), filling_(bytes, 'x') {}

  ServerResponse answer(const ServerRequest& request) {
    const std::lock_guard lock(mutex_);
    if (request.path == "/_control/counts") return tell_counts();
    const std::string key =
        request.path.starts_with("/bkt/") ? request.path.substr(5) : std::string();
    if (request.method == "GET" && key.empty()) return list(request);
    if (request.method == "PUT" && !key.empty()) return put(request, key);
    if (request.method == "DELETE" && !key.empty()) return remove(key);
    if (request.method == "GET" || request.method == "HEAD") return get(request, key);
    ++counts_["other"];
    std::cerr << request.method << " " << request.path << "\n";
    return error_response(501, "NotImplemented", "no such thing here");
  }

 private:
  // Another picture for each key.
  std::string picture_of(const std::string& key) const {
    return "\x89PNG\r\n\x1a\n" + key + filling_ + std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12);
  }

  std::size_t size_of(const std::string& key) const { return key.size() + filling_.size() + 20; }

  bool is_made_up(std::size_t index, bool result) const { return !result || index % each_ != 0; }

  bool there(const std::string& key) const {
    const bool result = key.starts_with("out/");
    const std::size_t digits = result ? 5 : 4;
    if (key.size() < digits + 8) return false;
    std::size_t index = 0;
    std::from_chars(key.data() + digits, key.data() + digits + 8, index);
    if (index >= size_ || key != key_at(index, result)) return put_.contains(key);
    return is_made_up(index, result) || put_.contains(key);
  }

  // The first index of which the key is behind `after`.
  std::size_t first_behind(const std::string& after, bool result) const {
    std::size_t low = 0, high = size_;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (key_at(middle, result) > after) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  ServerResponse list(const ServerRequest& request) {
    const bool result = request.query_value("prefix") == "out/";
    ++counts_[result ? "list out" : "list in"];
    std::string after(request.query_value("start-after"));
    if (const auto token = request.query_value("continuation-token"); !token.empty()) after = token;
    std::size_t index = first_behind(after, result);
    std::string body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>";
    std::string last;
    for (std::size_t count = 0; index < size_ && count < kPage; ++index) {
      std::string key = key_at(index, result);
      if (!is_made_up(index, result) && !put_.contains(key)) continue;
      body += "<Contents><Key>" + key +
              "</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified><ETag>&quot;" +
              etag_of(key) + "&quot;</ETag><Size>" + std::to_string(size_of(key)) +
              "</Size><StorageClass>STANDARD</StorageClass></Contents>";
      last = std::move(key);
      ++count;
    }
    const bool more = index < size_;
    body += std::string("<IsTruncated>") + (more ? "true" : "false") + "</IsTruncated>";
    if (more) body += "<NextContinuationToken>" + last + "</NextContinuationToken>";
    ServerResponse response;
    response.content_type = "application/xml";
    response.body = body + "</ListBucketResult>";
    return response;
  }

  ServerResponse get(const ServerRequest& request, const std::string& key) {
    ++counts_[request.method == "GET" ? "get" : "head"];
    ServerResponse response;
    response.content_type = "application/xml";
    response.status = there(key) ? 200 : 404;
    if (response.status == 404) {
      response.body = "<Error><Code>NoSuchKey</Code></Error>";
      return response;
    }
    response.headers.emplace_back("ETag", "\"" + etag_of(key) + "\"");
    response.content_type = "image/png";
    response.body = picture_of(key);
    return response;
  }

  ServerResponse put(const ServerRequest& request, const std::string& key) {
    ++counts_[key.ends_with(".webp") ? "put" : "put of another kind"];
    ServerResponse response;
    response.content_type = "application/xml";
    if (request.header("if-none-match") == "*" && there(key)) {
      response.status = 412;
      response.body = "<Error><Code>PreconditionFailed</Code></Error>";
      return response;
    }
    put_.insert(key);
    response.headers.emplace_back("ETag", "\"" + etag_of(key) + "\"");
    return response;
  }

  ServerResponse remove(const std::string& key) {
    ++counts_["delete"];
    put_.erase(key);
    ServerResponse response;
    response.status = 204;
    return response;
  }

  ServerResponse tell_counts() const {
    ServerResponse response;
    for (const auto& [what, count] : counts_) {
      response.body += response.body.empty() ? "{" : ",";
      response.body += json_quote(what) + ":" + std::to_string(count);
    }
    response.body += response.body.empty() ? "{}" : "}";
    return response;
  }

  const std::size_t size_, each_;
  const std::string filling_;
  std::mutex mutex_;
  std::set<std::string> put_;
  std::map<std::string, int> counts_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, std::size_t usual) {
    return argc > at ? std::size_t{std::strtoull(argv[at], nullptr, 10)} : usual;
  };
  GeneratedBucket bucket(number(1, 1000), number(2, 1000), number(3, 0));
  ServerOptions options;
  options.address = "127.0.0.1:0";
  auto server = start_http_server(
      options, [&bucket](const std::shared_ptr<ServerRequest>& request, const Respond& respond) {
        respond(bucket.answer(*request));
      });
  if (!server) {
    std::cerr << server.error().message << "\n";
    return 1;
  }
  std::cout << (*server)->address() << std::endl;
  while (std::cin.get() != EOF) {
  }
  return 0;
}
