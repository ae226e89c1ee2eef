#include "agent/s3/s3_client.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/s3/checksum_text.hpp"
#include "agent/transfer/answer_times.hpp"

namespace millrace {
namespace {

std::unexpected<S3Failure> refuse(ErrorKind kind, std::string message) {
  return std::unexpected(S3Failure{Error{kind, std::move(message), 0, {}}, {}, 0});
}

// The condition that was asked for did not hold: the object is another one.
S3Failure changed_if_precondition(S3Failure failure, bool asked) {
  if (asked && failure.kind == ErrorKind::Exists) failure.kind = ErrorKind::Changed;
  return failure;
}

std::string text_of(const HttpHead& head, std::string_view name) {
  return std::string(head.header(name).value_or(""));
}

ObjectInfo info_of(const HttpHead& head) {
  ObjectInfo info;
  info.size = head.length.value_or(0);
  info.etag = bare_etag(text_of(head, "etag"));
  info.version_id = text_of(head, "x-amz-version-id");
  info.content_type = text_of(head, "content-type");
  if (const auto modified = head.header("last-modified"))
    info.modified = parse_http_date(*modified);
  return info;
}

void add_version(S3Request& request, const std::string& version_id) {
  if (!version_id.empty()) request.query.emplace_back("versionId", version_id);
}

std::string quoted(const std::string& etag) {
  return etag.starts_with("W/") ? etag : '"' + etag + '"';
}

// "bytes 5-9/100", if it is the range that was asked for: the size of the whole object.
std::optional<std::uint64_t> whole_size(std::string_view text, const ByteRange& asked) {
  const std::string begins = "bytes " + std::to_string(asked.offset) + '-';
  const auto slash = text.find('/');
  std::uint64_t size = 0;
  if (!text.starts_with(begins) || slash == text.npos) return std::nullopt;
  const auto [end, error] =
      std::from_chars(text.data() + slash + 1, text.data() + text.size(), size);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(size)
                                                                  : std::nullopt;
}

}  // namespace

S3Result<ObjectInfo> S3Client::head(const std::string& key, const std::string& version_id,
                                    std::stop_token stop) {
  S3Request request{.method = "HEAD", .key = key};
  add_version(request, version_id);
  auto answer = sender_.send(request, std::move(stop));
  if (!answer) return std::unexpected(answer.error());
  if (!answer->head.length)
    return refuse(ErrorKind::Transient, sender_.name_of(request) + ": the answer tells no size");
  return info_of(answer->head);
}

S3Result<ObjectInfo> S3Client::look_for(const std::string& key, const std::string& version_id,
                                        std::stop_token stop) {
  auto info = head(key, version_id, stop);
  if (info || info.error().kind != ErrorKind::Vanished) return info;
  auto object = get(key, {.version_id = version_id}, std::move(stop));
  if (object) return object->info();
  return std::unexpected(object.error());
}

S3Result<OpenObject> S3Client::get(const std::string& key, const ReadOptions& options,
                                   std::stop_token stop) {
  S3Request request{.method = "GET", .key = key};
  add_version(request, options.version_id);
  if (!options.if_match.empty()) request.headers.emplace_back("If-Match", quoted(options.if_match));
  if (options.range) {
    const auto [offset, length] = *options.range;
    request.headers.emplace_back(
        "Range", "bytes=" + std::to_string(offset) + '-' + std::to_string(offset + length - 1));
  }
  auto answer = sender_.send(request, std::move(stop));
  if (!answer)
    return std::unexpected(changed_if_precondition(answer.error(), !options.if_match.empty()));
  const std::string name = sender_.name_of(request);
  ObjectInfo info = info_of(answer->head);
  // A server that does not know the condition answers with what it has.
  if (!options.if_match.empty() && info.etag != options.if_match)
    return refuse(ErrorKind::Changed, name + ": another object is there now");
  if (!answer->head.length)
    return refuse(ErrorKind::Transient, name + ": the answer tells no length");
  if (options.range) {
    const auto size = whole_size(text_of(answer->head, "content-range"), *options.range);
    if (answer->head.status != 206 || !size)
      return refuse(ErrorKind::Transient,
                    name + ": the answer is not the range that was asked for");
    info.size = *size;
  }
  return OpenObject(std::move(info), std::move(answer->exchange));
}

S3Result<Stored> S3Client::put(const std::string& key, const UploadBody& body,
                               const PutOptions& options, std::stop_token stop) {
  S3Request request{.method = "PUT", .key = key, .body = &body};
  if (options.if_taken == IfTaken::Refuse) request.headers.emplace_back("If-None-Match", "*");
  if (!options.content_type.empty())
    request.headers.emplace_back("Content-Type", options.content_type);
  if (!body.sha256.empty())
    request.headers.emplace_back("x-amz-checksum-sha256", checksum_text(body.sha256));
  auto answer = sender_.send(request, std::move(stop));
  if (!answer) return std::unexpected(answer.error());
  const ObjectInfo info = info_of(answer->head);
  return Stored{info.etag, info.version_id};
}

S3Result<void> S3Client::expect_object(const std::string& key, const std::string& version_id,
                                       const std::string& etag, const std::stop_token& stop) {
  const auto info = look_for(key, version_id, stop);
  if (!info) return std::unexpected(info.error());
  if (info->etag == etag) return {};
  return refuse(ErrorKind::Changed,
                sender_.name_of({.method = "HEAD", .key = key}) + ": another object is there now");
}

S3Result<void> S3Client::expect_none(const std::string& key, const std::stop_token& stop) {
  const auto info = head(key, {}, stop);
  if (info)
    return refuse(ErrorKind::Exists,
                  sender_.name_of({.method = "HEAD", .key = key}) + ": an object is there already");
  if (info.error().kind == ErrorKind::Vanished) return {};
  return std::unexpected(info.error());
}

bool S3Client::is_to_be_sent_without_condition(S3Request& request, const S3Failure& failed) {
  if (failed.status != 501) return false;
  return std::erase_if(request.headers, [](const auto& header) {
           return header.first == "If-Match" || header.first == "If-None-Match";
         }) > 0;
}

S3Result<void> S3Client::remove(const std::string& key, const std::string& if_match,
                                std::stop_token stop) {
  S3Request request{.method = "DELETE", .key = key};
  if (!if_match.empty()) {
    const auto same = expect_object(key, {}, if_match, stop);
    if (!same && same.error().kind == ErrorKind::Vanished) return {};
    if (!same) return same;
    request.headers.emplace_back("If-Match", quoted(if_match));
  }
  auto answer = sender_.send(request, stop);
  if (!answer && is_to_be_sent_without_condition(request, answer.error()))
    answer = sender_.send(request, std::move(stop));
  if (answer) return {};
  if (answer.error().kind == ErrorKind::Vanished) return {};
  return std::unexpected(changed_if_precondition(answer.error(), !if_match.empty()));
}

S3Result<ListingEnd> S3Client::list(const ListOptions& options, const ObjectSink& sink,
                                    std::stop_token stop) {
  S3Request request;
  request.query = {
      {"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(options.max_keys)}};
  if (!options.prefix.empty()) request.query.emplace_back("prefix", options.prefix);
  if (!options.token.empty())
    request.query.emplace_back("continuation-token", options.token);
  else if (!options.start_after.empty())
    request.query.emplace_back("start-after", options.start_after);
  auto answer = sender_.send(request, std::move(stop));
  if (!answer) return std::unexpected(answer.error());
  ListingReader reader(sink);
  std::array<std::byte, 16 * 1024> buffer;
  const auto ended = [&](const Error& error) {
    return refuse(error.kind, "list " + sender_.place().bucket + ": " + error.message);
  };
  for (;;) {
    const auto got = answer->exchange->read(buffer);
    if (!got) return ended(got.error());
    if (*got == 0) break;
    if (const auto added = reader.add(std::span(buffer).first(*got)); !added)
      return ended(added.error());
  }
  auto end = reader.finish();
  if (!end) return ended(end.error());
  return std::move(*end);
}

S3Result<std::string> S3Client::read_link(const std::string& key, const std::string& version_id,
                                          std::chrono::seconds life, std::stop_token stop) {
  S3Request request{.method = "GET", .key = key};
  add_version(request, version_id);
  return sender_.link(request, life, std::move(stop));
}

}  // namespace millrace
