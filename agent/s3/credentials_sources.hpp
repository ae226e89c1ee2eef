// Where keys come from: one factory a source. None of these keeps what it found; kept_credentials()
// around them does.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/s3/credentials.hpp"
#include "agent/transfer/http_client.hpp"

namespace millrace {

// What sources ask of the machine. Called from any thread.
struct MachineFacts {
  // A variable of the environment; one that is empty is one that is not there.
  std::function<std::optional<std::string>(std::string_view name)> variable;
  // A small text file. Vanished if it is not there.
  std::function<Result<std::string>(const std::string& path)> read_file;
  std::string home;  // where `.aws` lies, with the system's divider at its end, or empty
};

class CredentialsSource {
 public:
  virtual ~CredentialsSource() = default;
  // As CredentialsProvider::get().
  virtual Result<Credentials> fetch(WallTime now, std::stop_token stop) = 0;
};
using CredentialsSourcePtr = std::unique_ptr<CredentialsSource>;

// Keys that the settings name: each is read anew every time, so that a rotated one is found.
using ReadSecret = std::function<Result<std::string>()>;
struct GivenKeys {
  ReadSecret access_key_id, secret_access_key;
  ReadSecret session_token = {};  // nothing: none
};
CredentialsSourcePtr given_credentials(GivenKeys keys);

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
CredentialsSourcePtr environment_credentials(const MachineFacts& around);

// ~/.aws/credentials, then ~/.aws/config (or AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE). The
// profile is `profile`, else AWS_PROFILE, else `default`; one that is named and not there, or that
// gets its keys in a way that is not known here, is Configuration.
CredentialsSourcePtr profile_credentials(const MachineFacts& around, std::string profile = {});

// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI, with the token of
// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or AWS_CONTAINER_AUTHORIZATION_TOKEN.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
CredentialsSourcePtr container_credentials(const MachineFacts& around, HttpClient& http);

// The role of an EC2 instance by its metadata service, version 2 only, at
// AWS_EC2_METADATA_SERVICE_ENDPOINT or where it always is. Vanished with
// AWS_EC2_METADATA_DISABLED=true, or for an instance without a role; Unreachable within seconds
// where there is no such service.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
CredentialsSourcePtr instance_credentials(const MachineFacts& around, HttpClient& http);

// The first that has keys. Configuration, with what each one said, if all have none.
CredentialsSourcePtr first_of(std::vector<CredentialsSourcePtr> sources);

// Environment, profile, container, instance: the order that users of AWS know. A profile that the
// settings name is asked alone: keys that happen to be in the environment are of somebody else.
CredentialsSourcePtr usual_credentials(const MachineFacts& around, HttpClient& http,
                                       std::string profile = {});

}  // namespace millrace
