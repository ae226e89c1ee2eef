// Keys that a container's or an instance's own service hands out.
#include <algorithm>

#include "agent/s3/credentials_document.hpp"
#include "agent/s3/credentials_sources.hpp"
#include "agent/s3/small_exchange.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

using std::chrono::seconds;
constexpr std::size_t kMostAnswer = 64 * 1024;

HttpRequest metadata_request(std::string method, std::string url) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.plain_http = PlainHttp::MetadataServices;
  // The service is on the same host: where it does not answer at once, there is none.
  request.timeouts = {.connect = seconds{1}, .stall = seconds{5}, .thinking = seconds{5}};
  return request;
}

// 5xx and 429 pass; anything else that is no success is what was asked for.
std::unexpected<Error> refusal(std::string_view who, int status) {
  const bool passes = status >= 500 || status == 429;
  return fail(passes ? ErrorKind::Transient : ErrorKind::Configuration,
              std::string(who) + " answered " + std::to_string(status));
}

class ContainerSource final : public CredentialsSource {
 public:
  ContainerSource(const MachineFacts& around, HttpClient& http) : around_(around), http_(http) {}

  Result<Credentials> fetch(WallTime, std::stop_token stop) override {
    const auto url = place();
    if (!url) return fail(ErrorKind::Vanished, "no container credentials in the environment");
    HttpRequest request = metadata_request("GET", *url);
    const auto token = authorization();
    if (!token) return std::unexpected(token.error());
    if (!token->empty()) request.headers.emplace_back("Authorization", *token);
    const auto answer = small_exchange(http_, std::move(request), {}, kMostAnswer, std::move(stop));
    if (!answer) return with_context(answer.error(), kWho);
    if (answer->head.status != 200) return refusal(kWho, answer->head.status);
    return parse_credentials_document(answer->body, kWho);
  }

 private:
  static constexpr std::string_view kWho = "the container's credentials service";

  std::optional<std::string> place() const {
    if (const auto path = around_.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
      return "http://169.254.170.2" + *path;
    return around_.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  }

  // Empty where none is asked for.
  Result<std::string> authorization() const {
    std::string token = around_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
    if (const auto path = around_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
      auto text = around_.read_file(*path);
      if (!text)
        return fail(ErrorKind::Configuration,
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: " + text.error().message);
      token = std::move(*text);
      while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
    }
    if (token.find_first_of("\r\n") != token.npos)
      return fail(ErrorKind::Configuration,
                  "the token for " + std::string(kWho) + " holds a line end, which no header may");
    return token;
  }

  const MachineFacts around_;
  HttpClient& http_;
};

class InstanceSource final : public CredentialsSource {
 public:
  InstanceSource(const MachineFacts& around, HttpClient& http) : around_(around), http_(http) {}

  Result<Credentials> fetch(WallTime, std::stop_token stop) override {
    const std::string disabled = around_.variable("AWS_EC2_METADATA_DISABLED").value_or("");
    if (to_lower_ascii(disabled) == "true")
      return fail(ErrorKind::Vanished, "the instance metadata service is not to be asked");
    auto token = take_token(stop);
    if (!token) return std::unexpected(token.error());
    const auto roles = ask(kRoles, *token, stop);
    if (!roles) return std::unexpected(roles.error());
    const std::string role = roles->substr(0, roles->find_first_of("\r\n"));
    if (!is_role(role))
      return fail(ErrorKind::Transient, std::string(kWho) + " gave a role that is no name");
    const auto document = ask(kRoles + role, *token, stop);
    if (!document) return std::unexpected(document.error());
    return parse_credentials_document(*document, kWho);
  }

 private:
  static constexpr std::string_view kWho = "the instance metadata service";
  static inline const std::string kRoles = "/latest/meta-data/iam/security-credentials/";

  // IAM allows these in a role's name; nothing that would lead elsewhere.
  static bool is_role(std::string_view name) {
    return !name.empty() && name.size() <= 64 &&
           std::ranges::all_of(name,
                               [](char c) {
                                 return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                        (c >= '0' && c <= '9') ||
                                        std::string_view("+=,.@_-").contains(c);
                               }) &&
           name != "." && name != "..";
  }

  std::string base() const {
    if (auto set = around_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT")) {
      while (set->ends_with('/')) set->pop_back();
      return *set;
    }
    const std::string mode =
        around_.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").value_or("");
    return to_lower_ascii(mode) == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  }

  // Version 1, which gives keys to whoever can make this machine fetch a link, is never asked.
  Result<std::string> take_token(const std::stop_token& stop) {
    HttpRequest request = metadata_request("PUT", base() + "/latest/api/token");
    request.headers.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", "60");
    const auto answer = small_exchange(http_, std::move(request), {}, kMostAnswer, stop);
    if (!answer) return with_context(answer.error(), kWho);
    if (answer->head.status != 200) return refusal(kWho, answer->head.status);
    if (answer->body.empty() || answer->body.find_first_of("\r\n") != std::string::npos)
      return fail(ErrorKind::Transient, std::string(kWho) + " gave a token that is none");
    return answer->body;
  }

  Result<std::string> ask(const std::string& path, const std::string& token,
                          const std::stop_token& stop) {
    HttpRequest request = metadata_request("GET", base() + path);
    request.headers.emplace_back("X-aws-ec2-metadata-token", token);
    const auto answer = small_exchange(http_, std::move(request), {}, kMostAnswer, stop);
    if (!answer) return with_context(answer.error(), kWho);
    if (answer->head.status == 404)
      return fail(ErrorKind::Vanished, "this instance has no role with keys");
    if (answer->head.status != 200) return refusal(kWho, answer->head.status);
    return answer->body;
  }

  const MachineFacts around_;
  HttpClient& http_;
};

class FirstSource final : public CredentialsSource {
 public:
  explicit FirstSource(std::vector<CredentialsSourcePtr> sources) : sources_(std::move(sources)) {}

  Result<Credentials> fetch(WallTime now, std::stop_token stop) override {
    std::string said;
    for (const auto& source : sources_) {
      auto keys = source->fetch(now, stop);
      if (keys) return keys;
      if (!said.empty()) said += "; ";
      said += keys.error().message;
      if (keys.error().kind != ErrorKind::Vanished) {
        keys.error().message = "no keys for S3: " + said;
        return keys;
      }
    }
    return fail(ErrorKind::Configuration, "no keys for S3: " + said);
  }

 private:
  const std::vector<CredentialsSourcePtr> sources_;
};

}  // namespace

CredentialsSourcePtr container_credentials(const MachineFacts& around, HttpClient& http) {
  return std::make_unique<ContainerSource>(around, http);
}

CredentialsSourcePtr instance_credentials(const MachineFacts& around, HttpClient& http) {
  return std::make_unique<InstanceSource>(around, http);
}

CredentialsSourcePtr first_of(std::vector<CredentialsSourcePtr> sources) {
  return std::make_unique<FirstSource>(std::move(sources));
}

CredentialsSourcePtr usual_credentials(const MachineFacts& around, HttpClient& http,
                                       std::string profile) {
  const bool named = !profile.empty();
  std::vector<CredentialsSourcePtr> sources;
  if (!named) sources.push_back(environment_credentials(around));
  sources.push_back(profile_credentials(around, std::move(profile)));
  if (named) return first_of(std::move(sources));
  sources.push_back(container_credentials(around, http));
  sources.push_back(instance_credentials(around, http));
  return first_of(std::move(sources));
}

}  // namespace millrace
