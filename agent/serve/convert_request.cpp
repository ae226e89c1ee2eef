#include "agent/serve/convert_request.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>

#include "agent/serve/json_text.hpp"
#include "agent/serve/multipart.hpp"
#include "platform/base/sha256.hpp"
#include "platform/base/text.hpp"
#include "platform/http/wire_text.hpp"

namespace millrace::serve {
namespace {

constexpr std::size_t kFieldLimit = 4096;
constexpr std::size_t kMostOptions = 32;
constexpr std::size_t kFieldsBodyLimit = 64 * 1024;
constexpr const char* kTooLarge = "too_large";

struct Parts {
  std::vector<std::pair<std::string, std::string>> fields;
  std::string filename;
  std::shared_ptr<ScratchFile> file;
  std::string content;
};

// Gives the bytes of the request's body to `take`, from memory or from its file.
template <typename Take>
Result<void> each_piece(const ServerRequest& request, Take take) {
  if (request.body_file.empty()) return take(std::string_view(request.body));
  std::ifstream file(request.body_file, std::ios::binary);
  if (!file) return fail(ErrorKind::Environment, "the spooled body cannot be read");
  std::vector<char> buffer(64 * 1024);
  std::uint64_t seen = 0;
  while (file.read(buffer.data(), std::ssize(buffer)), file.gcount() > 0) {
    const auto n = static_cast<std::size_t>(file.gcount());
    seen += n;
    if (auto took = take(std::string_view(buffer.data(), n)); !took) return took;
  }
  if (seen != request.body_size) return fail(ErrorKind::Environment, "the spooled body is cut off");
  return {};
}

// The part `file` goes to scratch and is hashed on the way; every other part is a field.
class FormSink final : public PartSink {
 public:
  FormSink(ScratchFolder& scratch, std::uint64_t max_size) : scratch_(scratch), left_(max_size) {}

  Result<void> begin(const PartHead& head) override {
    in_file_ = head.name == "file";
    if (!in_file_) {
      parts.fields.emplace_back(head.name, "");
      return {};
    }
    if (parts.file) return fail(ErrorKind::Input, "two files");
    parts.filename = head.filename;
    parts.file = scratch_.name("in");
    auto writer = ScratchWriter::create(parts.file->path());
    if (!writer) return std::unexpected(writer.error());
    writer_ = std::move(*writer);
    return {};
  }
  Result<void> data(std::string_view bytes) override {
    if (!in_file_) {
      std::string& value = parts.fields.back().second;
      if (value.size() + bytes.size() > kFieldLimit) return fail(ErrorKind::Input, "a long field");
      value.append(bytes);
      return {};
    }
    if (bytes.size() > left_) return fail(ErrorKind::Quota, kTooLarge);
    left_ -= bytes.size();
    hash_.update(bytes);
    return writer_->write(bytes);
  }
  Result<void> end() override {
    if (!in_file_) return {};
    parts.content = to_hex(hash_.finish());
    return writer_->close();
  }

  Parts parts;

 private:
  ScratchFolder& scratch_;
  std::uint64_t left_;
  bool in_file_ = false;
  std::optional<ScratchWriter> writer_;
  Sha256 hash_;
};

Result<Parts> read_multipart(ServerRequest& request, ScratchFolder& scratch,
                             std::uint64_t max_size) {
  const auto boundary = multipart_boundary(request.header("content-type"));
  if (!boundary) return std::unexpected(boundary.error());
  FormSink sink(scratch, max_size);
  MultipartParser parser(*boundary, sink);
  const auto fed = each_piece(request, [&](std::string_view bytes) { return parser.feed(bytes); });
  if (!fed) return std::unexpected(fed.error());
  if (auto finished = parser.finish(); !finished) return std::unexpected(finished.error());
  // The form is not needed any more; its file may be as large as the one just written.
  std::error_code ignored;
  if (!request.body_file.empty()) std::filesystem::remove(request.body_file, ignored);
  request.body = {};
  return std::move(sink.parts);
}

Result<Parts> read_fields(const ServerRequest& request) {
  if (request.body.size() != request.body_size || request.body_size > kFieldsBodyLimit)
    return fail(ErrorKind::Input, "fields of more than 64 KiB");
  Parts parts;
  if (request.header("content-type").starts_with("application/json")) {
    auto fields = parse_fields(request.body);
    if (!fields) return std::unexpected(fields.error());
    parts.fields = std::move(*fields);
  } else {
    auto fields = parse_target("/?" + request.body);
    if (!fields) return std::unexpected(fields.error());
    parts.fields = std::move(fields->query);
  }
  return parts;
}

Result<Parts> read_raw(ServerRequest& request, ScratchFolder& scratch, std::uint64_t max_size) {
  if (request.body_size > max_size) return fail(ErrorKind::Quota, kTooLarge);
  Parts parts;
  parts.fields = request.query;
  parts.file = scratch.name("in");
  Sha256 hash;
  std::optional<ScratchWriter> writer;
  if (request.body_file.empty()) {
    auto created = ScratchWriter::create(parts.file->path());
    if (!created) return std::unexpected(created.error());
    writer = std::move(*created);
  }
  const auto read = each_piece(request, [&](std::string_view bytes) -> Result<void> {
    hash.update(bytes);
    return writer ? writer->write(bytes) : Result<void>{};
  });
  if (!read) return std::unexpected(read.error());
  if (writer) {
    if (auto closed = writer->close(); !closed) return std::unexpected(closed.error());
  } else {
    std::error_code error;
    std::filesystem::rename(request.body_file, parts.file->path(), error);
    if (error) return fail(ErrorKind::Environment, "cannot keep the spooled body", error.value());
    request.body_file.clear();
  }
  parts.content = to_hex(hash.finish());
  return parts;
}

std::string extension_of(std::string_view filename) {
  const std::size_t dot = filename.rfind('.');
  if (dot == std::string_view::npos) return {};
  std::string extension = to_lower_ascii(filename.substr(dot + 1));
  const bool plain = !extension.empty() && extension.size() <= 8 &&
                     std::all_of(extension.begin(), extension.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                     });
  return plain ? extension : std::string{};
}

Result<ConvertRequest> assemble(Parts parts) {
  ConvertRequest out;
  for (auto& [name, value] : parts.fields) {
    auto* known = name == "target" ? &out.target : name == "source" ? &out.source : nullptr;
    if (name == "file_url") known = &out.link;
    if (known == nullptr) {
      if (name.size() > 64 || value.size() > kFieldLimit)
        return fail(ErrorKind::Input, "an option that is too long");
      out.options.emplace_back(std::move(name), std::move(value));
    } else if (!known->empty()) {
      return fail(ErrorKind::Input, "the field " + printable(name, 64) + " comes twice");
    } else {
      *known = std::move(value);
    }
  }
  std::sort(out.options.begin(), out.options.end());
  const auto twice = std::adjacent_find(out.options.begin(), out.options.end(),
                                        [](auto& a, auto& b) { return a.first == b.first; });
  if (twice != out.options.end()) return fail(ErrorKind::Input, "an option comes twice");
  if (out.options.size() > kMostOptions) return fail(ErrorKind::Input, "too many options");
  out.target = to_lower_ascii(out.target);
  if (out.target.empty() || extension_of("." + out.target) != out.target)
    return fail(ErrorKind::Input, "the field `target` is missing or no format");
  if (out.link.empty() == !parts.file)
    return fail(ErrorKind::Input, "send either a file or a file_url");
  if (parts.file) {
    out.input = parts.file->path();
    out.content = std::move(parts.content);
  } else {
    out.content = out.link.substr(0, out.link.find_first_of("?#"));
  }
  if (out.source.empty()) out.source = extension_of(parts.filename);
  out.owns = std::move(parts.file);
  return out;
}

ServerResponse answer_for(const Error& error, std::uint64_t max_size) {
  if (error.kind == ErrorKind::Quota)
    return error_response(413, kTooLarge,
                          "the file is larger than " + std::to_string(max_size) + " bytes");
  if (error.kind == ErrorKind::Input) return error_response(400, "bad_request", error.message);
  return error_response(507, "no_space", error.message);
}

}  // namespace

std::expected<ConvertRequest, ServerResponse> read_convert_request(ServerRequest& request,
                                                                   ScratchFolder& scratch,
                                                                   std::uint64_t max_size) {
  const std::string type = to_lower_ascii(request.header("content-type"));
  const bool is_fields =
      type.starts_with("application/json") || type.starts_with("application/x-www-form-urlencoded");
  Result<Parts> parts = type.starts_with("multipart/") ? read_multipart(request, scratch, max_size)
                        : is_fields && request.query_value("target").empty()
                            ? read_fields(request)
                            : read_raw(request, scratch, max_size);
  if (!parts) return std::unexpected(answer_for(parts.error(), max_size));
  auto out = assemble(std::move(*parts));
  if (!out) return std::unexpected(answer_for(out.error(), max_size));
  return std::move(*out);
}

std::string fingerprint(const ConvertRequest& request) {
  Sha256 hash;
  const auto add = [&](std::string_view text) {
    hash.update(std::to_string(text.size()) + ":");
    hash.update(text);
  };
  add(request.link.empty() ? "bytes" : "link");
  for (const std::string* text : {&request.content, &request.target, &request.source}) add(*text);
  for (const auto& [name, value] : request.options) {
    add(name);
    add(value);
  }
  return to_hex(hash.finish());
}

}  // namespace millrace::serve
