#include "agent/serve/multipart.hpp"

#include <algorithm>
#include <optional>

#include "platform/base/text.hpp"

namespace millrace::serve {
namespace {

constexpr std::size_t kHeadLimit = 8 * 1024;
constexpr int kMostParts = 64;

std::unexpected<Error> bad(const char* why) {
  return fail(ErrorKind::Input, std::string("malformed form: ") + why);
}

bool is_boundary_char(char c) {
  static constexpr std::string_view kSigns = "'()+_,-./:=? ";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kSigns.find(c) != std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Takes `name=value` or `name="va\"lue"` off the front of `rest`, which stands behind a semicolon.
struct Parameter {
  std::string name;  // lower case
  std::string value;
};
std::optional<Parameter> take_parameter(std::string_view& rest) {
  const std::size_t equals = rest.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  Parameter out;
  out.name = to_lower_ascii(trim(rest.substr(0, equals)));
  rest = trim(rest.substr(equals + 1));
  if (rest.starts_with('"')) {
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      out.value += rest[i];
    }
    if (i >= rest.size()) return std::nullopt;
    rest = trim(rest.substr(i + 1));
  } else {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    out.value = trim(rest.substr(0, end));
    if (out.value.empty() || out.value.find_first_of(" \t\"") != std::string::npos)
      return std::nullopt;
    rest = rest.substr(end);
  }
  if (!rest.empty() && rest.front() != ';') return std::nullopt;
  if (!rest.empty()) rest = trim(rest.substr(1));
  return out;
}

Result<PartHead> parse_disposition(std::string_view value) {
  const std::size_t semicolon = value.find(';');
  if (semicolon == std::string_view::npos ||
      to_lower_ascii(trim(value.substr(0, semicolon))) != "form-data")
    return bad("a part that is no form-data with a name");
  std::string_view rest = trim(value.substr(semicolon + 1));
  std::optional<std::string> name, filename;
  while (!rest.empty()) {
    auto parameter = take_parameter(rest);
    if (!parameter) return bad("a parameter");
    auto* known = parameter->name == "name"       ? &name
                  : parameter->name == "filename" ? &filename
                                                  : nullptr;
    if (known == nullptr) return bad("an unknown parameter");
    if (*known) return bad("a parameter that comes twice");
    *known = std::move(parameter->value);
  }
  if (!name || name->empty() || name->size() > 100) return bad("a part without a usable name");
  return PartHead{std::move(*name), filename.value_or("")};
}

bool is_plain_encoding(std::string_view value) {
  const std::string lower = to_lower_ascii(value);
  return lower == "7bit" || lower == "8bit" || lower == "binary";
}

// `lines` ends with CR LF.
Result<PartHead> parse_head(std::string_view lines) {
  std::optional<PartHead> out;
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const bool clean = std::none_of(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
    const std::size_t colon = line.find(':');
    if (!clean || colon == std::string_view::npos || colon == 0) return bad("a line of a head");
    const std::string name = to_lower_ascii(line.substr(0, colon));
    if (name.find_first_of(" \t") != std::string::npos) return bad("a line of a head");
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "content-transfer-encoding" && !is_plain_encoding(value))
      return bad("a transfer encoding");
    if (name != "content-disposition") continue;
    if (out) return bad("two dispositions");
    auto parsed = parse_disposition(value);
    if (!parsed) return parsed;
    out = std::move(*parsed);
  }
  if (!out) return bad("a part without a disposition");
  return std::move(*out);
}

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  const std::size_t semicolon = content_type.find(';');
  if (semicolon == std::string_view::npos ||
      to_lower_ascii(trim(content_type.substr(0, semicolon))) != "multipart/form-data")
    return bad("no multipart/form-data with a boundary");
  std::string_view rest = trim(content_type.substr(semicolon + 1));
  std::string boundary;
  while (!rest.empty()) {
    const auto parameter = take_parameter(rest);
    if (!parameter) return bad("the content type");
    if (parameter->name != "boundary") continue;
    if (!boundary.empty()) return bad("two boundaries");
    boundary = parameter->value;
  }
  if (boundary.empty() || boundary.size() > 70 || boundary.back() == ' ' ||
      !std::all_of(boundary.begin(), boundary.end(), is_boundary_char))
    return bad("the boundary");
  return boundary;
}

MultipartParser::MultipartParser(std::string_view boundary, PartSink& sink)
    : delimiter_("\r\n--" + std::string(boundary)), sink_(sink) {}

Result<void> MultipartParser::feed(std::string_view bytes) {
  pending_.append(bytes);
  for (;;) {
    const auto stepped = step();
    if (!stepped) return std::unexpected(stepped.error());
    if (*stepped == Step::NeedMore) return {};
  }
}

Result<void> MultipartParser::finish() {
  if (state_ != State::Epilogue) return bad("it ends before its last boundary");
  if (!pending_.empty() && pending_ != "\r\n") return bad("bytes after the last boundary");
  return {};
}

Result<MultipartParser::Step> MultipartParser::step() {
  switch (state_) {
    case State::Opening:
      return opening();
    case State::AfterBoundary:
      return after_boundary();
    case State::Head:
      return head();
    case State::Data:
      return data();
    case State::Epilogue:
      return epilogue();
  }
  return fail(ErrorKind::Defect, "unknown state");
}

Result<MultipartParser::Step> MultipartParser::opening() {
  const std::string_view first = std::string_view(delimiter_).substr(2);
  if (pending_.size() < first.size()) return Step::NeedMore;
  if (!pending_.starts_with(first)) return bad("it does not begin with its boundary");
  pending_.erase(0, first.size());
  state_ = State::AfterBoundary;
  return Step::Advanced;
}

Result<MultipartParser::Step> MultipartParser::after_boundary() {
  if (pending_.size() < 2) return Step::NeedMore;
  const bool last = pending_.starts_with("--");
  if (!last && !pending_.starts_with("\r\n")) return bad("padding after a boundary");
  if (last && parts_ == 0) return bad("no part");
  pending_.erase(0, 2);
  state_ = last ? State::Epilogue : State::Head;
  if (!last && ++parts_ > kMostParts) return bad("too many parts");
  return Step::Advanced;
}

Result<MultipartParser::Step> MultipartParser::head() {
  const std::size_t end = pending_.find("\r\n\r\n");
  if (end > kHeadLimit) {  // npos as well
    if (pending_.size() > kHeadLimit) return bad("the head of a part is too long");
    return Step::NeedMore;
  }
  const auto parsed = parse_head(std::string_view(pending_).substr(0, end + 2));
  if (!parsed) return std::unexpected(parsed.error());
  if (auto began = sink_.begin(*parsed); !began) return std::unexpected(began.error());
  pending_.erase(0, end + 4);
  state_ = State::Data;
  return Step::Advanced;
}

Result<MultipartParser::Step> MultipartParser::data() {
  const std::size_t at = pending_.find(delimiter_);
  // What may be the beginning of a delimiter is kept for the next piece.
  const std::size_t keep = delimiter_.size() - 1;
  const std::size_t whole =
      at != std::string::npos ? at : pending_.size() - std::min(pending_.size(), keep);
  if (whole > 0) {
    if (auto took = sink_.data(std::string_view(pending_).substr(0, whole)); !took)
      return std::unexpected(took.error());
    pending_.erase(0, whole);
  }
  if (at == std::string::npos) return Step::NeedMore;
  if (auto ended = sink_.end(); !ended) return std::unexpected(ended.error());
  pending_.erase(0, delimiter_.size());
  state_ = State::AfterBoundary;
  return Step::Advanced;
}

Result<MultipartParser::Step> MultipartParser::epilogue() {
  if (pending_.size() > 2) return bad("bytes after the last boundary");
  return Step::NeedMore;
}

}  // namespace millrace::serve
