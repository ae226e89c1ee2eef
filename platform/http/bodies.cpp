#include "platform/http/bodies.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace millrace {
namespace {

std::unexpected<Error> full() {
  return fail(ErrorKind::Environment, "the scratch folder takes no more bytes");
}

}  // namespace

std::shared_ptr<ServerRequest> new_server_request() {
  return {new ServerRequest, [](ServerRequest* request) {
            std::error_code ignored;
            if (!request->body_file.empty()) std::filesystem::remove(request->body_file, ignored);
            delete request;
          }};
}

Result<void> BodySink::take(ServerRequest& request, std::string_view bytes) {
  request.body_size += bytes.size();
  if (!file_) {
    request.body.append(bytes);
    if (request.body.size() <= spool_above_) return {};
    if (auto opened = open(request); !opened) return opened;
    bytes = request.body;
  }
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) return full();
  request.body = {};
  return {};
}

Result<void> BodySink::finish() {
  std::FILE* file = file_.release();
  if (file != nullptr && std::fclose(file) != 0) return full();
  return {};
}

Result<void> BodySink::open(ServerRequest& request) {
  static std::atomic<std::uint64_t> next{0};  // servers may share a folder
  for (;;) {
    const auto path = spool_dir_ / ("body-" + std::to_string(++next));
    auto file = create_private_file(path);
    if (!file && file.error().kind == ErrorKind::Exists) continue;
    if (!file) return std::unexpected(file.error());
    file_ = std::move(*file);
    request.body_file = path;
    return {};
  }
}

void AnswerSource::begin(ServerResponse response) {
  response_ = std::move(response);
  sent_ = 0;
  file_.reset();
  length_ = response_.body.size();
  if (response_.body_file.empty()) return;
  std::error_code error;
  const auto size = std::filesystem::file_size(response_.body_file, error);
  auto file = open_for_reading(response_.body_file);
  if (error || !file) {
    response_ = error_response(500, "internal", "the result cannot be read");
    length_ = response_.body.size();
    return;
  }
  file_ = std::move(*file);
  length_ = size;
}

std::string_view AnswerSource::next(std::span<char> scratch) {
  std::string_view piece;
  const auto want =
      static_cast<std::size_t>(std::min<std::uint64_t>(length_ - sent_, scratch.size()));
  if (file_) {
    piece = {scratch.data(), std::fread(scratch.data(), 1, want, file_.get())};
  } else {
    piece = std::string_view(response_.body).substr(static_cast<std::size_t>(sent_), want);
  }
  sent_ += piece.size();
  return piece;
}

void AnswerSource::reset() {
  file_.reset();
  response_ = {};
}

}  // namespace millrace
