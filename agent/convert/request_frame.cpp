#include "agent/convert/request_frame.hpp"

#include <algorithm>

#include "platform/base/text.hpp"

namespace millrace {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string percent(char c) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  const auto b = static_cast<unsigned char>(c);
  return {'%', kDigits[b >> 4], kDigits[b & 15]};
}

// RFC 3986 2.3: everything but the unreserved characters.
std::string query_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_plain(c) || c == '-' || c == '.' || c == '_' || c == '~')
      out += c;
    else
      out += percent(c);
  }
  return out;
}

// As browsers name a form's parts (WHATWG HTML, multipart/form-data encoding).
std::string quoted_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\r' || c == '\n')
      out += percent(c);
    else
      out += c;
  }
  return out;
}

std::string field(const std::string& boundary, std::string_view name, std::string_view value) {
  return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + quoted_name(name) +
         "\"\r\n\r\n" + std::string(value) + "\r\n";
}

RequestFrame raw_frame(const std::string& url, const ConvertRequest& request) {
  RequestFrame frame;
  frame.content_type = "application/octet-stream";
  frame.url = url + (url.find('?') == std::string::npos ? '?' : '&') +
              "target=" + query_escaped(request.target);
  for (const auto& [name, value] : request.options) {
    frame.url += '&' + query_escaped(name) + '=' + query_escaped(value);
  }
  return frame;
}

}  // namespace

std::string safe_extension(std::string_view source_name) {
  const auto slash = source_name.rfind('/');
  if (slash != std::string_view::npos) source_name.remove_prefix(slash + 1);
  const auto dot = source_name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return "bin";
  const std::string_view extension = source_name.substr(dot + 1);
  const bool safe = !extension.empty() && extension.size() <= 10 &&
                    std::all_of(extension.begin(), extension.end(), is_plain);
  return safe ? to_lower_ascii(extension) : "bin";
}

RequestFrame make_request_frame(UploadForm form, const std::string& url,
                                const ConvertRequest& request, std::string_view link) {
  if (form == UploadForm::Raw) return raw_frame(url, request);
  const std::string boundary = "millrace-" + request.key;
  RequestFrame frame;
  frame.url = url;
  frame.content_type = "multipart/form-data; boundary=" + boundary;
  frame.head = field(boundary, "target", request.target);
  for (const auto& [name, value] : request.options) frame.head += field(boundary, name, value);
  if (form == UploadForm::Url) {
    frame.carries_file = false;
    frame.head += field(boundary, "file_url", link);
    frame.tail = "--" + boundary + "--\r\n";
    return frame;
  }
  frame.head +=
      "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"input." +
      safe_extension(request.source_name) + "\"\r\nContent-Type: application/octet-stream\r\n\r\n";
  frame.tail = "\r\n--" + boundary + "--\r\n";
  return frame;
}

}  // namespace millrace
