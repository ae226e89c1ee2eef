#include "tests/api_server/request.hpp"

#include <cstdlib>
#include <span>

#include "platform/base/text.hpp"

namespace millrace::test {
namespace {

constexpr std::size_t kFieldLimit = 64 * 1024;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

FormFields parse_query(std::string_view query) {
  FormFields fields;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    fields[percent_decode(pair.substr(0, equals))] = percent_decode(pair.substr(equals + 1));
  }
  return fields;
}

// The value of `name="..."` in a Content-Disposition line, with %22 undone.
std::string parameter(std::string_view line, std::string_view name) {
  const std::string start = std::string(name) + "=\"";
  std::size_t at = line.find(start);
  while (at != std::string_view::npos && at > 0 && line[at - 1] != ' ' && line[at - 1] != ';') {
    at = line.find(start, at + 1);
  }
  if (at == std::string_view::npos) return {};
  at += start.size();
  return percent_decode(line.substr(at, line.find('"', at) - at));
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const std::string digits(text.substr(i + 1, 2));
      char* end = nullptr;
      const long value = std::strtol(digits.c_str(), &end, 16);
      if (end == digits.c_str() + 2) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string RequestHead::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

std::optional<RequestHead> parse_head(std::string_view text) {
  RequestHead head;
  const std::string_view first = text.substr(0, text.find("\r\n"));
  const auto blank = first.find(' ');
  const auto version = first.rfind(" HTTP/1.");
  if (blank == std::string_view::npos || version == std::string_view::npos || version <= blank) {
    return std::nullopt;
  }
  head.method = first.substr(0, blank);
  const std::string_view target = first.substr(blank + 1, version - blank - 1);
  head.path = target.substr(0, target.find('?'));
  if (const auto q = target.find('?'); q != std::string_view::npos) {
    head.query = parse_query(target.substr(q + 1));
  }
  text.remove_prefix(first.size() + 2);
  while (!text.empty() && !text.starts_with("\r\n")) {
    const std::string_view line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(std::min(text.size(), line.size() + 2));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    head.headers[to_lower_ascii(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }
  head.length = std::strtoull(head.header("content-length").c_str(), nullptr, 10);
  head.expects_continue = to_lower_ascii(head.header("expect")) == "100-continue";
  return head;
}

BodyReader::BodyReader(const RequestHead& head) {
  const std::string type = head.header("content-type");
  const auto at = type.find("boundary=");
  if (!to_lower_ascii(type).starts_with("multipart/form-data") || at == std::string::npos) {
    has_file_ = true;
    return;
  }
  multipart_ = true;
  std::string boundary = type.substr(at + 9);
  boundary = boundary.substr(0, boundary.find(';'));
  if (boundary.starts_with('"')) boundary = boundary.substr(1, boundary.rfind('"') - 1);
  delimiter_ = "\r\n--" + boundary;
  buffer_ = "\r\n";  // the first delimiter may stand at the very beginning
}

void BodyReader::feed(std::string_view bytes) {
  if (!multipart_) {
    hash_.update(bytes);
    file_bytes_ += bytes.size();
    return;
  }
  buffer_ += bytes;
  while (advance()) {
  }
}

std::string BodyReader::finish_hash() { return to_hex(hash_.finish()); }

// True if something was consumed and another look is worth it.
bool BodyReader::advance() {
  switch (step_) {
    case Step::Preamble: {
      const auto at = buffer_.find(delimiter_);
      if (at == std::string::npos || buffer_.size() < at + delimiter_.size() + 2) return false;
      buffer_.erase(0, at + delimiter_.size() + 2);
      step_ = Step::Headers;
      return true;
    }
    case Step::Headers:
      return read_part_headers();
    case Step::Part:
      return read_part();
    case Step::Done:
    case Step::Broken:
      buffer_.clear();
      return false;
  }
  return false;
}

bool BodyReader::read_part_headers() {
  const auto end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (buffer_.size() > kFieldLimit) step_ = Step::Broken;
    return false;
  }
  const std::string headers = buffer_.substr(0, end);
  buffer_.erase(0, end + 4);
  part_name_ = parameter(headers, "name");
  if (part_name_ == "file") {
    has_file_ = true;
    file_name_ = parameter(headers, "filename");
  } else {
    fields_[part_name_];
  }
  step_ = Step::Part;
  return true;
}

bool BodyReader::read_part() {
  const auto at = buffer_.find(delimiter_);
  if (at == std::string::npos) {
    if (buffer_.size() > delimiter_.size()) {
      const std::size_t sure = buffer_.size() - delimiter_.size();
      take(std::string_view(buffer_).substr(0, sure));
      buffer_.erase(0, sure);
    }
    return false;
  }
  if (buffer_.size() < at + delimiter_.size() + 2) return false;
  take(std::string_view(buffer_).substr(0, at));
  const bool last = buffer_.compare(at + delimiter_.size(), 2, "--") == 0;
  buffer_.erase(0, at + delimiter_.size() + 2);
  step_ = last ? Step::Done : Step::Headers;
  return true;
}

void BodyReader::take(std::string_view bytes) {
  if (part_name_ == "file") {
    hash_.update(bytes);
    file_bytes_ += bytes.size();
    return;
  }
  std::string& field = fields_[part_name_];
  if (field.size() + bytes.size() <= kFieldLimit) field += bytes;
}

}  // namespace millrace::test
