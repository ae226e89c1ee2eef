// What is done on the server, and in several requests: copies and uploads in parts.
#include <optional>
#include <span>

#include "agent/s3/checksum_text.hpp"
#include "agent/s3/parts_listing.hpp"
#include "agent/s3/s3_client.hpp"

namespace millrace {
namespace {

std::unexpected<S3Failure> no_answer(const std::string& what, std::string_view lacks) {
  return std::unexpected(S3Failure{
      Error{ErrorKind::Transient, what + ": the answer has no " + std::string(lacks), 0, {}},
      {},
      0});
}

// The text of one element; nothing if it is not there or this is no whole XML.
class OneText final : public XmlHandler {
 public:
  explicit OneText(std::string_view path) : path_(path) {}
  Result<void> element_begins(std::string_view, const XmlAttributes&) override { return {}; }
  Result<void> element_ends(std::string_view path, std::string_view text) override {
    if (path == path_) text_ = text;
    return {};
  }
  static std::optional<std::string> of(std::string_view xml, std::string_view path) {
    OneText handler(path);
    XmlReader reader(handler);
    const bool whole = reader.add(std::as_bytes(std::span(xml))) && reader.finish();
    return whole ? handler.text_ : std::nullopt;
  }

 private:
  const std::string_view path_;
  std::optional<std::string> text_;
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

std::string list_of(const std::vector<Part>& parts) {
  std::string xml = "<CompleteMultipartUpload>";
  for (const Part& part : parts)
    xml += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>&quot;" +
           escaped(part.etag) + "&quot;</ETag></Part>";
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace

S3Result<Stored> S3Client::copy(const std::string& from, const std::string& to,
                                const CopyOptions& options, std::stop_token stop) {
  const bool one_version = !options.if_match.empty();
  const auto same = [&]() -> S3Result<void> {
    if (!one_version) return {};
    return expect_object(from, options.source_version_id, options.if_match, stop);
  };
  if (const auto before = same(); !before) return std::unexpected(before.error());
  S3Request request{.method = "PUT", .key = to};
  std::string source = '/' + sender_.place().bucket + '/' + uri_encode(from, Slash::Keep);
  if (!options.source_version_id.empty())
    source += "?versionId=" + uri_encode(options.source_version_id);
  request.headers.emplace_back("x-amz-copy-source", source);
  if (one_version)
    request.headers.emplace_back("x-amz-copy-source-if-match", '"' + options.if_match + '"');
  if (options.if_taken == IfTaken::Refuse) {
    if (const auto none = expect_none(to, stop); !none) return std::unexpected(none.error());
    request.headers.emplace_back("If-None-Match", "*");
  }
  auto text = sender_.send_for_text(request, stop);
  if (!text && is_to_be_sent_without_condition(request, text.error()))
    text = sender_.send_for_text(request, stop);
  // A condition that did not hold: which of the two is not said.
  if (!text && text.error().kind == ErrorKind::Exists) {
    if (const auto after = same(); !after) return std::unexpected(after.error());
  }
  if (!text) return std::unexpected(text.error());
  if (const auto after = same(); !after) return std::unexpected(after.error());
  const auto etag = OneText::of(*text, "CopyObjectResult/ETag");
  if (!etag || etag->empty()) return no_answer(sender_.name_of(request), "ETag");
  return Stored{bare_etag(*etag), {}};
}

S3Result<std::string> S3Client::begin_parts(const std::string& key, const PutOptions& options,
                                            std::stop_token stop) {
  S3Request request{.method = "POST", .key = key, .query = {{"uploads", ""}}};
  if (!options.content_type.empty())
    request.headers.emplace_back("Content-Type", options.content_type);
  auto text = sender_.send_for_text(request, std::move(stop));
  if (!text) return std::unexpected(text.error());
  auto id = OneText::of(*text, "InitiateMultipartUploadResult/UploadId");
  if (!id || id->empty()) return no_answer(sender_.name_of(request), "UploadId");
  return std::move(*id);
}

S3Result<Part> S3Client::put_part(const std::string& key, const std::string& upload_id, int number,
                                  const UploadBody& body, std::stop_token stop) {
  const S3Request request{
      .method = "PUT",
      .key = key,
      .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id}},
      .body = &body};
  auto answer = sender_.send(request, std::move(stop));
  if (!answer) return std::unexpected(answer.error());
  const auto etag = answer->head.header("etag");
  if (!etag) return no_answer(sender_.name_of(request), "ETag");
  return Part{number, bare_etag(*etag)};
}

S3Result<std::vector<ListedPart>> S3Client::list_parts(const std::string& key,
                                                       const std::string& upload_id,
                                                       std::stop_token stop) {
  std::vector<ListedPart> all;
  S3Request request{.method = "GET", .key = key, .query = {{"uploadId", upload_id}}};
  for (;;) {
    auto text = sender_.send_for_text(request, stop);
    if (!text) return std::unexpected(text.error());
    const int last = all.empty() ? 0 : all.back().part.number;
    const auto truncated = read_parts_listing(*text, all);
    if (!truncated) return no_answer(sender_.name_of(request), "whole list of parts");
    if (!*truncated) return all;
    // Numbers grow, so that it ends.
    if (all.empty() || all.back().part.number <= last)
      return no_answer(sender_.name_of(request), "further parts");
    request.query = {{"part-number-marker", std::to_string(all.back().part.number)},
                     {"uploadId", upload_id}};
  }
}

S3Result<Stored> S3Client::complete(const std::string& key, const std::string& upload_id,
                                    const std::vector<Part>& parts, IfTaken if_taken,
                                    std::stop_token stop) {
  const std::string list = list_of(parts);
  const UploadBody body = body_of(list);
  S3Request request{
      .method = "POST", .key = key, .query = {{"uploadId", upload_id}}, .body = &body};
  request.headers.emplace_back("Content-Type", "application/xml");
  // Looked here and not by the caller: hours may lie between the first part and this. As with
  // copies, there are servers that do not know the condition (501), and such as do not keep it.
  if (if_taken == IfTaken::Refuse) {
    if (const auto none = expect_none(key, stop); !none) return std::unexpected(none.error());
    request.headers.emplace_back("If-None-Match", "*");
  }
  auto text = sender_.send_for_text(request, stop);
  if (!text && is_to_be_sent_without_condition(request, text.error()))
    text = sender_.send_for_text(request, stop);
  if (!text) return std::unexpected(text.error());
  const auto etag = OneText::of(*text, "CompleteMultipartUploadResult/ETag");
  if (!etag) return no_answer(sender_.name_of(request), "ETag");
  if (!etag->empty()) return Stored{bare_etag(*etag), {}};
  // Ceph 16 completes the upload and leaves the ETag empty.
  const auto info = head(key, {}, std::move(stop));
  if (!info) return std::unexpected(info.error());
  return Stored{info->etag, info->version_id};
}

S3Result<void> S3Client::abort(const std::string& key, const std::string& upload_id,
                               std::stop_token stop) {
  const S3Request request{.method = "DELETE", .key = key, .query = {{"uploadId", upload_id}}};
  const auto answer = sender_.send(request, std::move(stop));
  if (answer || answer.error().kind == ErrorKind::Vanished) return {};
  return std::unexpected(answer.error());
}

}  // namespace millrace
