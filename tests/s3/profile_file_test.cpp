#include "agent/s3/profile_file.hpp"

#include "tests/support/catch.hpp"

using namespace millrace;

TEST_CASE("a profile is found in either file by the form of its section") {
  const std::string_view text =
      "[default]\nregion = eu-west-1\n[profile work]\nregion=us-east-2\n[work]\nregion=old\n"
      "[sso-session work]\nregion=never\n[profile \"two words\"]\nregion = a\n[profilework]\n";
  CHECK(find_profile(text, ProfileFile::Config, "default") == Profile{{"region", "eu-west-1"}});
  CHECK(find_profile(text, ProfileFile::Config, "work") == Profile{{"region", "us-east-2"}});
  CHECK(find_profile(text, ProfileFile::Config, "two words") == Profile{{"region", "a"}});
  CHECK(find_profile(text, ProfileFile::Credentials, "work") == Profile{{"region", "old"}});
  CHECK_FALSE(find_profile(text, ProfileFile::Config, "other"));
  CHECK_FALSE(find_profile("", ProfileFile::Config, "default"));
}

TEST_CASE("comments, nested settings, line ends and a byte order mark are no values") {
  const auto found = find_profile(
      "\xEF\xBB\xBF# first\r\n; second\r\n[ default ] # third\r\n"
      "AWS_Access_Key_Id = AKID   # mine\r\naws_secret_access_key=a#b;c\t; not mine\r\n"
      "s3 =\r\n  addressing_style = path\r\nno value here\r\n\r\nempty =\r\nlast = 1",
      ProfileFile::Credentials, "default");
  CHECK(found == Profile{{"aws_access_key_id", "AKID"},
                         {"aws_secret_access_key", "a#b;c"},
                         {"s3", ""},
                         {"empty", ""},
                         {"last", "1"}});
}

TEST_CASE("sections of one name add up, and the last value counts") {
  const auto found = find_profile("[a]\nx=1\ny=2\n[b]\nx=9\n[a]\nx=3\n[broken\nz=1\n",
                                  ProfileFile::Credentials, "a");
  CHECK(found == Profile{{"x", "3"}, {"y", "2"}});
}
