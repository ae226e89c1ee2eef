#include "agent/pipeline/services.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "agent/convert/api_converter.hpp"
#include "agent/pipeline/list_converter.hpp"
#include "platform/base/native_path.hpp"
#include "platform/host/host.hpp"

namespace millrace {
namespace {

UploadForm form_of(Upload upload) {
  switch (upload) {
    case Upload::Multipart:
      return UploadForm::Multipart;
    case Upload::Raw:
      return UploadForm::Raw;
    case Upload::Url:
      return UploadForm::Url;
  }
  return UploadForm::Multipart;
}

}  // namespace

Result<std::string> read_key(const SecretRef& where, const std::filesystem::path& config_dir) {
  switch (where.where) {
    case SecretRef::Where::None:
      return std::string();
    case SecretRef::Where::File:
      return read_secret_file(native_path(where.name));
    case SecretRef::Where::Store:
      return read_secret(config_dir, where.name);
    case SecretRef::Where::Env:
      break;
  }
  const char* value = std::getenv(where.name.c_str());
  if (value == nullptr || *value == '\0') {
    return fail(ErrorKind::Configuration, "the environment variable " + where.name + " is not set");
  }
  return std::string(value);
}

Result<std::shared_ptr<Service>> make_service(HttpClient& http, const ConverterSettings& settings,
                                              const std::string& unix_socket,
                                              const std::filesystem::path& config_dir,
                                              const Clock& clock) {
  const auto read_api_key = [where = settings.api_key, config_dir]() -> Result<std::string> {
    auto key = read_key(where, config_dir);
    if (!key) return with_context(key.error(), "api_key");
    return key;
  };
  if (auto key = read_api_key(); !key) return std::unexpected(key.error());
  ApiConverterRules rules;
  rules.name = settings.name;
  rules.url = settings.embedded ? "http://localhost/v1/convert" : settings.url;
  rules.unix_socket = unix_socket;
  rules.account = settings.account;
  rules.ca_file = settings.ca_file;
  if (settings.api_key.where != SecretRef::Where::None) {
    rules.api_key = read_api_key;
  }
  rules.upload = form_of(settings.upload);
  rules.max_size = settings.max_size;
  rules.max_answer = settings.max_answer;
  rules.timeouts.thinking = settings.timeout;
  auto converter = make_api_converter(http, std::move(rules), clock);
  if (!converter) return std::unexpected(converter.error());
  auto service = std::make_shared<Service>();
  service->settings = settings;
  service->converter = std::move(*converter);
  return service;
}

std::function<Result<Headers>(const std::string& place)> headers_of(
    std::vector<DownloadHeader> headers, std::filesystem::path config_dir) {
  if (headers.empty()) return {};
  return [headers = std::move(headers),
          config_dir = std::move(config_dir)](const std::string& place) -> Result<Headers> {
    Headers sent;
    for (const DownloadHeader& header : headers) {
      if (header.place != place) continue;
      auto value = read_key(header.value, config_dir);
      if (!value) return with_context(value.error(), header.name);
      const auto bad = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
      if (value->empty() || std::ranges::any_of(*value, bad))
        return fail(ErrorKind::Configuration,
                    "the value of " + header.name + " is empty or holds a line end");
      sent.emplace_back(header.name, std::move(*value));
    }
    return sent;
  };
}

std::shared_ptr<Service> make_list_service(ListRecords& records, const ConverterSettings& settings,
                                           const std::filesystem::path& config_dir,
                                           const Clock& clock) {
  auto service = std::make_shared<Service>();
  service->settings = settings;
  service->converter =
      make_list_converter(records, settings, headers_of(settings.headers, config_dir), clock);
  return service;
}

WallTime month_of(WallTime now) {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(now)};
  return std::chrono::sys_days{day.year() / day.month() / 1};
}

}  // namespace millrace
