// Keys of an instance's and a container's own service.
#include "agent/s3/credentials_document.hpp"
#include "agent/s3/iso_time.hpp"
#include "tests/s3/fake_metadata.hpp"
#include "tests/s3/surroundings.hpp"
#include "tests/transfer/client.hpp"

using namespace millrace;
using namespace millrace::test;

namespace {

const std::string kRoles = "GET /latest/meta-data/iam/security-credentials/";

struct Machine : MadeUpMachine {
  FakeMetadata service;
  std::unique_ptr<HttpClient> http = client();
  CredentialsSourcePtr instance() {
    variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url() + "/";
    return instance_credentials(surroundings(), *http);
  }
  CredentialsSourcePtr container() { return container_credentials(surroundings(), *http); }
};

Error error_of(const CredentialsSourcePtr& source) {
  const auto keys = source->fetch(WallTime{}, {});
  REQUIRE_FALSE(keys);
  CHECK(keys.error().message.find("CANARY") == std::string::npos);
  return keys.error();
}

void check_first_keys(const Result<Credentials>& keys) {
  REQUIRE(keys);
  CHECK(keys->access_key_id == "ASIA1");
  CHECK(keys->secret_access_key == "s1");
  CHECK(keys->session_token == "t1");
  CHECK(keys->expires == parse_iso_time("2026-03-01T06:00:00Z"));
}

}  // namespace

TEST_CASE("an instance's keys come by a token, the role's name and its document") {
  Machine machine;
  check_first_keys(machine.instance()->fetch(WallTime{}, {}));
  CHECK(machine.service.asked() ==
        std::vector<std::string>{"PUT /latest/api/token", kRoles, kRoles + "agent-role"});
}

TEST_CASE("version 1 of the metadata service is never asked") {
  Machine machine;
  machine.service.set({.token_status = 403});
  CHECK(error_of(machine.instance()).kind == ErrorKind::Configuration);
  CHECK(machine.service.asked().size() == 1);
}

TEST_CASE("what an instance's service answers has the right kind") {
  struct Row {
    FakeMetadata::Script script;
    ErrorKind kind;
  };
  const std::string no_success = R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"CANARY"})";
  const Row rows[] = {
      {{.role = ""}, ErrorKind::Vanished},
      {{.role = "../../api"}, ErrorKind::Transient},
      {{.role = ".."}, ErrorKind::Transient},
      {{.document = no_success}, ErrorKind::Transient},
      {{.document = "<html>CANARY"}, ErrorKind::Transient},
      {{.document = R"({"AccessKeyId":"A","SecretAccessKey":"CANARY b"})"}, ErrorKind::Transient},
      {{.document = R"({"AccessKeyId":"A","SecretAccessKey":"b","Expiration":"soon"})"},
       ErrorKind::Transient},
      {{.document = std::string(70'000, ' ')}, ErrorKind::Transient},
      {{.token_status = 503}, ErrorKind::Transient},
      {{.document_status = 500}, ErrorKind::Transient},
      {{.tokens_die_at_once = true}, ErrorKind::Configuration}};
  for (const Row& row : rows) {
    Machine machine;
    machine.service.set(row.script);
    const Error error = error_of(machine.instance());
    INFO(error.message);
    CHECK(error.kind == row.kind);
  }
}

TEST_CASE("an instance's service is not asked where it must not or is not") {
  Machine machine;
  const auto source = machine.instance();
  machine.variables["AWS_EC2_METADATA_DISABLED"] = "True";
  CHECK(error_of(source).kind == ErrorKind::Vanished);
  CHECK(machine.service.asked().empty());
  machine.variables["AWS_EC2_METADATA_DISABLED"] = "false";
  // A port at which nothing listens.
  machine.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1";
  CHECK(error_of(source).kind == ErrorKind::Unreachable);
  // Keys never travel without TLS beyond this host.
  machine.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://metadata.example";
  CHECK(error_of(source).kind == ErrorKind::Configuration);
}

TEST_CASE("a container's keys come with its token, from a file that is read each time") {
  Machine machine;
  const auto source = machine.container();
  CHECK(error_of(source).kind == ErrorKind::Vanished);
  machine.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = machine.service.url() + "/container";
  check_first_keys(source->fetch(WallTime{}, {}));
  machine.service.set({.authorization = "Basic abc"});
  CHECK(error_of(source).kind == ErrorKind::Configuration);
  machine.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Basic abc";
  check_first_keys(source->fetch(WallTime{}, {}));
  machine.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/var/token";
  CHECK(error_of(source).kind == ErrorKind::Configuration);
  machine.files["/var/token"] = "second\n";
  machine.service.set({.authorization = "second"});
  check_first_keys(source->fetch(WallTime{}, {}));
  machine.files["/var/token"] = "third\r\nX-Evil: CANARY\n";
  CHECK(error_of(source).kind == ErrorKind::Configuration);
}

TEST_CASE("a container's address without TLS is one of this host") {
  Machine machine;
  machine.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://192.168.1.1/container";
  CHECK(error_of(machine.container()).kind == ErrorKind::Configuration);
}

TEST_CASE("a time is read whole or not at all") {
  using std::chrono::sys_days, std::chrono::year;
  const WallTime noon = sys_days{year{2026} / 3 / 1} + std::chrono::hours{12};
  CHECK(parse_iso_time("2026-03-01T12:00:00Z") == noon);
  CHECK(parse_iso_time("2026-03-01T12:00:00.123Z") == noon);
  CHECK(parse_iso_time("1970-01-01T00:00:00Z") == WallTime{});
  for (const char* text :
       {"", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "2026-03-01T24:00:00Z",
        "2026-03-01T12:60:00Z", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00+01:00",
        "2026-03-01T12:00:00.1.2Z", "9999-03-01T12:00:00Z", "2026-13-01T12:00:00Z",
        "+026-03-01T12:00:00Z"}) {
    INFO(text);
    CHECK_FALSE(parse_iso_time(text));
  }
}

TEST_CASE("a profile that the settings name is asked alone, the environment's keys are not") {
  Machine machine;
  machine.variables = {{"AWS_ACCESS_KEY_ID", "E"},
                       {"AWS_SECRET_ACCESS_KEY", "e"},
                       {"AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.service.url() + "/"}};
  machine.files["/home/a/.aws/credentials"] =
      "[work]\naws_access_key_id=W\naws_secret_access_key=w\n[empty]\nregion=r\n";
  const auto id = [&](std::string profile) {
    const auto source =
        usual_credentials(machine.surroundings(), *machine.http, std::move(profile));
    const auto keys = source->fetch(WallTime{}, {});
    return keys ? keys->access_key_id : std::string(to_string(keys.error().kind));
  };
  CHECK(id("") == "E");
  CHECK(id("work") == "W");
  CHECK(id("empty") == "configuration");
  CHECK(id("absent") == "configuration");
  CHECK(machine.service.asked().empty());
}
