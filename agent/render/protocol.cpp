#include "agent/render/protocol.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "platform/base/text.hpp"

namespace millrace::render {
namespace {

using nlohmann::json;

std::string_view name_of(Code code) {
  constexpr std::array<std::string_view, 5> kNames{"unsupported_route", "broken_input", "too_large",
                                                   "bad_option", "internal"};
  return kNames[static_cast<std::size_t>(code)];
}

std::string dump(const json& line) {
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Options are texts on the command line and in forms, and may be numbers in JSON.
std::string option_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : dump(value);
}

ConvertRequest convert_request(const json& line) {
  ConvertRequest request;
  request.input = line.at("input").get<std::string>();
  request.output = line.at("output").get<std::string>();
  request.from = line.value("from", "");
  request.target = line.at("target").get<std::string>();
  const json options = line.value("options", json::object());
  for (const auto& [name, value] : options.items()) {
    request.options[name] = option_text(value);
  }
  const json limits = line.value("limits", json::object());
  request.limits.pixels = limits.value("pixels", request.limits.pixels);
  request.limits.seconds = limits.value("seconds", request.limits.seconds);
  return request;
}

}  // namespace

Request parse_request(std::string_view line) {
  try {
    const json parsed = json::parse(line);
    if (parsed.value("list_formats", false)) return ListRequest{};
    return convert_request(parsed);
  } catch (const json::exception& error) {
    return BadRequest{error.what()};
  }
}

std::string reply_line(const Converted& converted) {
  return dump({{"ok", true},
               {"content_type", converted.content_type},
               {"width", converted.width},
               {"height", converted.height},
               {"pages", converted.pages}});
}

std::string reply_line(const Refused& refused) {
  return dump({{"ok", false},
               {"code", name_of(refused.code)},
               {"message", printable(refused.message, 500)}});
}

std::string formats_line(const std::vector<Route>& routes, const std::string& vips_version,
                         const std::string& confinement) {
  json list = json::array();
  for (const Route& route : routes) list.push_back({{"from", route.from}, {"to", route.to}});
  return dump({{"formats", list}, {"vips", vips_version}, {"confinement", confinement}});
}

}  // namespace millrace::render
