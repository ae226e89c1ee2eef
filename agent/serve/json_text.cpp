#include "agent/serve/json_text.hpp"

#include <nlohmann/json.hpp>

#include "platform/base/native_path.hpp"

namespace millrace::serve {
namespace {

using nlohmann::json;

struct CodeRow {
  std::string_view name;
  RenderCode code;
};
constexpr CodeRow kCodes[] = {
    {"unsupported_route", RenderCode::UnsupportedRoute},
    {"broken_input", RenderCode::BrokenInput},
    {"too_large", RenderCode::TooLarge},
    {"bad_option", RenderCode::BadOption},
    {"internal", RenderCode::Internal},
};

RenderCode code_of(std::string_view name) {
  for (const CodeRow& row : kCodes)
    if (row.name == name) return row.code;
  return RenderCode::Internal;
}

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::unexpected<Error> no_line_of_a_worker(const json::exception& error) {
  return fail(ErrorKind::Defect,
              std::string("the render worker answered nonsense: ") + error.what());
}

}  // namespace

std::string render_line(const RenderJob& job) {
  json options = json::object();
  for (const auto& [name, value] : job.options) options[name] = value;
  return dump({{"input", path_text(job.input)},
               {"output", path_text(job.output)},
               {"from", job.from},
               {"target", job.target},
               {"options", options},
               {"limits", {{"pixels", job.limits.pixels}, {"seconds", job.limits.time.count()}}}}) +
         '\n';
}

std::string list_formats_line() { return "{\"list_formats\":true}\n"; }

Result<Rendered> parse_rendered(std::string_view line) {
  try {
    const json reply = json::parse(line);
    Rendered out;
    if (reply.at("ok").get<bool>()) {
      out.content_type = reply.at("content_type").get<std::string>();
      out.width = reply.value("width", 0);
      out.height = reply.value("height", 0);
      out.pages = reply.value("pages", 0);
    } else {
      out.code = code_of(reply.at("code").get<std::string>());
      out.message = reply.value("message", "");
    }
    return out;
  } catch (const json::exception& error) {
    return no_line_of_a_worker(error);
  }
}

Result<Formats> parse_formats(std::string_view line) {
  try {
    const json reply = json::parse(line);
    Formats out;
    for (const json& route : reply.at("formats"))
      out.routes.push_back(
          {route.at("from").get<std::string>(), route.at("to").get<std::vector<std::string>>()});
    out.engine = "vips " + reply.value("vips", "");
    return out;
  } catch (const json::exception& error) {
    return no_line_of_a_worker(error);
  }
}

std::string formats_document(const Formats& formats) {
  json routes = json::array();
  for (const Formats::Route& route : formats.routes)
    routes.push_back({{"from", route.from}, {"to", route.to}});
  return dump({{"formats", routes}, {"engine", formats.engine}}) + '\n';
}

Result<std::vector<std::pair<std::string, std::string>>> parse_fields(std::string_view document) {
  try {
    const json parsed = json::parse(document);
    if (!parsed.is_object()) return fail(ErrorKind::Input, "the body must be a JSON object");
    std::vector<std::pair<std::string, std::string>> fields;
    for (const auto& [name, value] : parsed.items()) {
      if (value.is_structured()) return fail(ErrorKind::Input, "a field must be a plain value");
      fields.emplace_back(name, value.is_string() ? value.get<std::string>() : dump(value));
    }
    return fields;
  } catch (const json::exception&) {
    return fail(ErrorKind::Input, "the body is no JSON");
  }
}

}  // namespace millrace::serve
