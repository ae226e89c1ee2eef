// Keys that lie on this machine: settings, environment, files.
#include <array>

#include "agent/s3/credentials_document.hpp"
#include "agent/s3/credentials_sources.hpp"
#include "agent/s3/profile_file.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

class GivenSource final : public CredentialsSource {
 public:
  explicit GivenSource(GivenKeys keys) : keys_(std::move(keys)) {}
  Result<Credentials> fetch(WallTime, std::stop_token) override {
    auto id = keys_.access_key_id();
    if (!id) return std::unexpected(id.error());
    auto secret = keys_.secret_access_key();
    if (!secret) return std::unexpected(secret.error());
    auto token = keys_.session_token ? keys_.session_token() : Result<std::string>();
    if (!token) return std::unexpected(token.error());
    return checked({std::move(*id), std::move(*secret), std::move(*token), {}}, "the settings");
  }

 private:
  const GivenKeys keys_;
};

class EnvironmentSource final : public CredentialsSource {
 public:
  explicit EnvironmentSource(const MachineFacts& around) : around_(around) {}
  Result<Credentials> fetch(WallTime, std::stop_token) override {
    const auto id = around_.variable("AWS_ACCESS_KEY_ID");
    const auto secret = around_.variable("AWS_SECRET_ACCESS_KEY");
    if (!id && !secret) return fail(ErrorKind::Vanished, "no AWS_ACCESS_KEY_ID in the environment");
    const auto token = around_.variable("AWS_SESSION_TOKEN");
    return checked({id.value_or(""), secret.value_or(""), token.value_or(""), {}},
                   "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN");
  }

 private:
  const MachineFacts around_;
};

// Ways to get keys that the AWS tools have and that are not known here.
constexpr std::array<std::string_view, 5> kOtherWays{
    "role_arn", "credential_process", "sso_session", "sso_start_url", "web_identity_token_file"};

std::string value_of(const Profile& profile, const char* name) {
  const auto found = profile.find(name);
  return found == profile.end() ? std::string() : found->second;
}

class ProfileSource final : public CredentialsSource {
 public:
  ProfileSource(const MachineFacts& around, std::string profile)
      : around_(around), profile_(std::move(profile)) {}

  Result<Credentials> fetch(WallTime, std::stop_token) override {
    const auto wanted =
        profile_.empty() ? around_.variable("AWS_PROFILE") : std::optional(profile_);
    const std::string name = wanted.value_or("default");
    const std::string shown = "profile " + printable(name, 100);
    bool there = false;
    for (const Place& place : places()) {
      const auto profile = read(place, name);
      if (!profile) return std::unexpected(profile.error());
      if (!*profile) continue;
      there = true;
      auto keys = keys_of(**profile, shown + " of " + place.path);
      if (keys || keys.error().kind != ErrorKind::Vanished) return keys;
    }
    if (there || !wanted) return fail(ErrorKind::Vanished, "no keys in " + shown);
    return fail(ErrorKind::Configuration, "there is no " + shown);
  }

 private:
  struct Place {
    ProfileFile file;
    std::string path;
  };

  std::array<Place, 2> places() const {
    const auto path = [&](std::string_view variable, const char* usual) {
      const auto set = around_.variable(variable);
      return set ? *set : around_.home + ".aws/" + usual;
    };
    return {Place{ProfileFile::Credentials, path("AWS_SHARED_CREDENTIALS_FILE", "credentials")},
            Place{ProfileFile::Config, path("AWS_CONFIG_FILE", "config")}};
  }

  // Nothing where the file or the profile is not there.
  Result<std::optional<Profile>> read(const Place& place, const std::string& name) const {
    const auto text = around_.read_file(place.path);
    if (text) return find_profile(*text, place.file, name);
    if (text.error().kind == ErrorKind::Vanished) return std::optional<Profile>();
    return with_context(text.error(), "read " + place.path);
  }

  static Result<Credentials> keys_of(const Profile& profile, const std::string& where) {
    const bool has_id = profile.contains("aws_access_key_id");
    if (has_id || profile.contains("aws_secret_access_key"))
      return checked({value_of(profile, "aws_access_key_id"),
                      value_of(profile, "aws_secret_access_key"),
                      value_of(profile, "aws_session_token"),
                      {}},
                     where);
    for (const std::string_view way : kOtherWays) {
      if (profile.contains(std::string(way)))
        return fail(ErrorKind::Configuration, where + " gets its keys by `" + std::string(way) +
                                                  "`, which is not known here");
    }
    return fail(ErrorKind::Vanished, "no keys in " + where);
  }

  const MachineFacts around_;
  const std::string profile_;
};

}  // namespace

CredentialsSourcePtr given_credentials(GivenKeys keys) {
  return std::make_unique<GivenSource>(std::move(keys));
}

CredentialsSourcePtr environment_credentials(const MachineFacts& around) {
  return std::make_unique<EnvironmentSource>(around);
}

CredentialsSourcePtr profile_credentials(const MachineFacts& around, std::string profile) {
  return std::make_unique<ProfileSource>(around, std::move(profile));
}

}  // namespace millrace
