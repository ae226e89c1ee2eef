#include "agent/events/event_message.hpp"

#include "tests/support/catch.hpp"

namespace millrace {
namespace {

// As Ceph's gateway 16.2 sends it, less what nobody reads here.
constexpr std::string_view kCeph = R"({"Records":[{"eventVersion":"2.2","eventSource":"ceph:s3",
"awsRegion":"default","eventTime":"2026-11-30T01:30:00.123Z","eventName":"ObjectCreated:Put",
"userIdentity":{"principalId":"t"},"requestParameters":{"sourceIPAddress":""},
"s3":{"s3SchemaVersion":"1.0","configurationId":"n","bucket":{"name":"photos",
"ownerIdentity":{"principalId":"t"},"arn":"arn:aws:s3:default::photos","id":"x"},
"object":{"key":"in/a b.png","size":74,"eTag":"8c3ff5f4c8a1a2d0","versionId":"",
"sequencer":"DAD26A6700000000","metadata":[],"tags":[]}},"eventId":"1.2","opaqueData":""}]})";

// As Amazon S3 publishes it to a topic, less what nobody reads here.
constexpr std::string_view kAws = R"({"Records":[
{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:CompleteMultipartUpload",
"s3":{"bucket":{"name":"photos"},"object":{"key":"in/a+b%2Fc.png","size":1024,"eTag":"d41d"}}},
{"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"photos"},"object":{"key":"in/gone.png"}}}]})";

std::string in_envelope(std::string_view event) {
  std::string quoted;
  for (const char c : event) {
    if (c == '\n') continue;
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return R"({"Type":"Notification","MessageId":"22b8","TopicArn":"arn:aws:sns:eu-west-1:1:t",)"
         R"("Subject":"Amazon S3 Notification","Message":")" +
         quoted + R"(","SignatureVersion":"1"})";
}

}  // namespace

TEST_CASE("an event of Ceph's gateway names its object") {
  const auto message = read_pushed_message(kCeph);
  REQUIRE(message);
  CHECK(message->objects == std::vector<PushedObject>{{"photos", "in/a b.png"}});
}

TEST_CASE("an event of AWS names its object as it stands and decoded, and no removed one") {
  const std::vector<PushedObject> both{{"photos", "in/a+b%2Fc.png"}, {"photos", "in/a b/c.png"}};
  for (const std::string& body : {std::string(kAws), in_envelope(kAws)}) {
    INFO(body);
    const auto message = read_pushed_message(body);
    REQUIRE(message);
    CHECK(message->objects == both);
  }
}

TEST_CASE("a topic that asks for consent is told to a person, and other messages are let pass") {
  const auto asks = read_pushed_message(
      R"({"Type":"SubscriptionConfirmation","SubscribeURL":"https://sns.example/?Token=1"})");
  REQUIRE(asks);
  CHECK(asks->confirm_at == "https://sns.example/?Token=1");
  for (const char* body : {R"({"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"})",
                           R"({"Type":"UnsubscribeConfirmation"})", R"({"Records":[]})",
                           R"({"Records":[1,null,{"s3":{"bucket":7}},{"s3":{"object":[]}}]})"}) {
    INFO(body);
    const auto message = read_pushed_message(body);
    REQUIRE(message);
    CHECK(message->objects.empty());
  }
}

TEST_CASE("what is no event is refused") {
  for (const char* body :
       {"", "hello", "[]", "{}", R"({"Records":7})", R"({"Type":"Notification"})",
        R"({"Type":"Notification","Message":"{"})", "\xff\xfe", R"({"Type":7})"}) {
    INFO(body);
    CHECK_FALSE(read_pushed_message(body));
  }
}

TEST_CASE("a key that is no whole percent-encoding is taken as it stands") {
  for (const char* key : {"in/100%.png", "in/a%2.png", "in/a%zz.png"}) {
    const auto message = read_pushed_message(
        std::string(R"({"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":")") + key +
        R"("}}}]})");
    REQUIRE(message);
    CHECK(message->objects == std::vector<PushedObject>{{"b", key}});
  }
}

}  // namespace millrace
