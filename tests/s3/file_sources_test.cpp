// Keys of settings, environment and profile files.
#include "tests/s3/surroundings.hpp"
#include "tests/support/catch.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr WallTime kNow{};
const std::string kCredentials = "/home/a/.aws/credentials";
const std::string kConfig = "/home/a/.aws/config";

// "id/secret/token" of what a source gives, or the kind of its error.
std::string outcome(const CredentialsSourcePtr& source) {
  const auto keys = source->fetch(kNow, {});
  if (!keys) return std::string(to_string(keys.error().kind));
  CHECK_FALSE(keys->expires);
  return keys->access_key_id + '/' + keys->secret_access_key + '/' + keys->session_token;
}

std::string message_of(const CredentialsSourcePtr& source) {
  const auto keys = source->fetch(kNow, {});
  return keys ? "" : keys.error().message;
}

ReadSecret says(Result<std::string> text) {
  return [text] { return text; };
}

}  // namespace

TEST_CASE("keys of the settings are read anew each time and cut at their ends [M4]") {
  std::string secret = "s1\n";
  const auto source =
      given_credentials({.access_key_id = says("AKID \r\n"),
                         .secret_access_key = [&] { return Result<std::string>(secret); }});
  CHECK(outcome(source) == "AKID/s1/");
  secret = "s2";
  CHECK(outcome(source) == "AKID/s2/");
  secret = "  \n";
  CHECK(outcome(source) == "configuration");
  CHECK(message_of(source) == "no secret access key in the settings");
}

TEST_CASE("a key that cannot be read ends with why, and a broken one is not shown [M1]") {
  const auto missing =
      given_credentials({says("AKID"), says(fail(ErrorKind::Configuration, "no secret `s3`"))});
  CHECK(message_of(missing) == "no secret `s3`");
  const auto broken = given_credentials({says("AKID"), says("CANARY\nX-Evil: 1")});
  CHECK(outcome(broken) == "configuration");
  CHECK(message_of(broken).find("CANARY") == std::string::npos);
}

TEST_CASE("the environment's keys are a whole set or a fault") {
  MadeUpMachine machine;
  const auto source = environment_credentials(machine.surroundings());
  CHECK(outcome(source) == "vanished");
  machine.variables["AWS_ACCESS_KEY_ID"] = "AKID";
  CHECK(outcome(source) == "configuration");
  machine.variables["AWS_SECRET_ACCESS_KEY"] = "secret";
  CHECK(outcome(source) == "AKID/secret/");
  machine.variables["AWS_SESSION_TOKEN"] = "token";
  CHECK(outcome(source) == "AKID/secret/token");
  machine.variables["AWS_ACCESS_KEY_ID"] = "";
  CHECK(outcome(source) == "configuration");
}

TEST_CASE("a profile's keys come from the credentials file first") {
  MadeUpMachine machine;
  const auto source = profile_credentials(machine.surroundings());
  CHECK(outcome(source) == "vanished");
  machine.files[kConfig] = "[default]\naws_access_key_id=C\naws_secret_access_key=c\n";
  CHECK(outcome(source) == "C/c/");
  machine.files[kCredentials] =
      "[default]\naws_access_key_id=K\naws_secret_access_key=k\naws_session_token=t\n";
  CHECK(outcome(source) == "K/k/t");
  machine.files[kCredentials] = "[default]\naws_access_key_id=K\n";
  CHECK(outcome(source) == "configuration");
  CHECK(message_of(source) == "no secret access key in profile default of " + kCredentials);
}

TEST_CASE("AWS_PROFILE, the settings and the two paths choose another profile") {
  MadeUpMachine machine;
  machine.files["/etc/keys"] = "[work]\naws_access_key_id=W\naws_secret_access_key=w\n";
  machine.files["/etc/conf"] = "[profile home]\naws_access_key_id=H\naws_secret_access_key=h\n";
  machine.variables = {{"AWS_SHARED_CREDENTIALS_FILE", "/etc/keys"},
                       {"AWS_CONFIG_FILE", "/etc/conf"},
                       {"AWS_PROFILE", "work"}};
  CHECK(outcome(profile_credentials(machine.surroundings())) == "W/w/");
  CHECK(outcome(profile_credentials(machine.surroundings(), "home")) == "H/h/");
  CHECK(outcome(profile_credentials(machine.surroundings(), "absent")) == "configuration");
  machine.variables["AWS_PROFILE"] = "absent";
  CHECK(message_of(profile_credentials(machine.surroundings())) == "there is no profile absent");
}

TEST_CASE("a profile without keys of its own is passed over, unless it gets them in another way") {
  MadeUpMachine machine;
  machine.files[kConfig] = "[default]\nregion=eu-west-1\n";
  CHECK(outcome(profile_credentials(machine.surroundings())) == "vanished");
  for (const std::string way : {"role_arn", "credential_process", "sso_session"}) {
    machine.files[kConfig] = "[default]\n" + way + " = x\n";
    const auto source = profile_credentials(machine.surroundings());
    CHECK(outcome(source) == "configuration");
    CHECK(message_of(source).find('`' + way + '`') != std::string::npos);
  }
}

TEST_CASE("a file that is there and cannot be read is a fault, not a missing one") {
  MadeUpMachine machine;
  machine.unreadable = kCredentials;
  const auto source = profile_credentials(machine.surroundings());
  CHECK(outcome(source) == "environment");
  CHECK(message_of(source) == "read " + kCredentials + ": Permission denied");
}

namespace {

struct ScriptedSource final : CredentialsSource {
  explicit ScriptedSource(Result<Credentials> a) : answer(std::move(a)) {}
  Result<Credentials> fetch(WallTime, std::stop_token) override { return answer; }
  Result<Credentials> answer;
};

CredentialsSourcePtr chain(std::vector<Result<Credentials>> answers) {
  std::vector<CredentialsSourcePtr> sources;
  for (auto& one : answers) sources.push_back(std::make_unique<ScriptedSource>(std::move(one)));
  return first_of(std::move(sources));
}

}  // namespace

TEST_CASE("the first source that has keys gives them, and a fault is not passed over") {
  const Result<Credentials> a(Credentials{"A", "a", "", {}}), b(Credentials{"B", "b", "", {}});
  const Result<Credentials> none = fail(ErrorKind::Vanished, "none here");
  const Result<Credentials> broken = fail(ErrorKind::Environment, "unreadable");
  CHECK(outcome(chain({none, a, b})) == "A/a/");
  CHECK(outcome(chain({none, broken, b})) == "environment");
  CHECK(message_of(chain({none, broken, b})) == "no keys for S3: none here; unreadable");
  CHECK(outcome(chain({none, none})) == "configuration");
  CHECK(message_of(chain({none, none})) == "no keys for S3: none here; none here");
}
