// Makes converters out of their settings: where the key is read, which socket, which account.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/pipeline/list_records.hpp"
#include "agent/pipeline/service.hpp"
#include "agent/transfer/http_client.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

// The key, read anew for each request, so that a new one is taken up without a restart.
Result<std::string> read_key(const SecretRef& where, const std::filesystem::path& config_dir);

// `unix_socket` is where the embedded converter listens, empty for any other. Configuration if the
// key cannot be read now.
Result<std::shared_ptr<Service>> make_service(HttpClient& http, const ConverterSettings& settings,
                                              const std::string& unix_socket,
                                              const std::filesystem::path& config_dir,
                                              const Clock& clock);

// What FetchRules takes; empty without headers. Their values are read anew for each request:
// Configuration if one cannot be.
std::function<Result<Headers>(const std::string& place)> headers_of(
    std::vector<DownloadHeader> headers, std::filesystem::path config_dir);

// The one that fetches lists; `records` and `clock` outlive it.
std::shared_ptr<Service> make_list_service(ListRecords& records, const ConverterSettings& settings,
                                           const std::filesystem::path& config_dir,
                                           const Clock& clock);

// The first moment of the month (UTC) that `now` lies in.
WallTime month_of(WallTime now);

}  // namespace millrace
