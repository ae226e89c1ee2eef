#include "agent/render/options.hpp"

#include <algorithm>
#include <charconv>

#include "platform/base/text.hpp"

namespace millrace::render {
namespace {

std::optional<int> number(const std::string& text, int low, int high) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || value < low || value > high) return std::nullopt;
  return value;
}

template <std::optional<int> Options::* kMember, int kLow, int kHigh>
bool set_number(Options& options, const std::string& text) {
  options.*kMember = number(text, kLow, kHigh);
  return (options.*kMember).has_value();
}

std::optional<bool> truth(const std::string& text) {
  const std::string lower = to_lower_ascii(text);
  if (lower == "true" || lower == "1" || lower == "yes") return true;
  if (lower == "false" || lower == "0" || lower == "no") return false;
  return std::nullopt;
}

bool set_lossless(Options& options, const std::string& text) {
  const auto value = truth(text);
  options.lossless = value.value_or(false);
  return value.has_value();
}

bool set_strip(Options& options, const std::string& text) {
  const auto value = truth(text);
  options.metadata = value.value_or(false) ? Metadata::Strip : Metadata::Keep;
  return value.has_value();
}

bool set_fit(Options& options, const std::string& text) {
  constexpr std::array<std::pair<std::string_view, Fit>, 4> kFits{{{"scale-down", Fit::ScaleDown},
                                                                   {"contain", Fit::Contain},
                                                                   {"cover", Fit::Cover},
                                                                   {"fill", Fit::Fill}}};
  for (const auto& [name, fit] : kFits) {
    if (name == text) {
      options.fit = fit;
      return true;
    }
  }
  return false;
}

bool set_background(Options& options, const std::string& text) {
  std::string hex = to_lower_ascii(text);
  if (hex == "white") hex = "#ffffff";
  if (hex == "black") hex = "#000000";
  if (hex.size() != 7 || hex[0] != '#') return false;
  for (std::size_t i = 0; i < 3; ++i) {
    int value = 0;
    const char* const at = hex.data() + 1 + 2 * i;
    const auto [stopped, error] = std::from_chars(at, at + 2, value, 16);
    if (error != std::errc{} || stopped != at + 2 || value < 0) return false;
    options.background[i] = value;
  }
  return true;
}

bool set_pages(Options& options, const std::string& text) {
  options.all_pages = text == "all";
  return options.all_pages || set_number<&Options::page, 1, 100000>(options, text);
}

struct Row {
  std::string_view name;
  std::string_view permitted;
  bool (*set)(Options&, const std::string&);
};
constexpr std::array kRows{
    Row{"background", "#rrggbb, white or black", set_background},
    Row{"dpi", "10 to 2400", set_number<&Options::dpi, 10, 2400>},
    Row{"fit", "scale-down, contain, cover or fill", set_fit},
    Row{"height", "1 to 65535", set_number<&Options::height, 1, 65535>},
    Row{"lossless", "true or false", set_lossless},
    Row{"pages", "all or a page number", set_pages},
    Row{"quality", "1 to 100", set_number<&Options::quality, 1, 100>},
    Row{"strip", "true or false", set_strip},
    Row{"width", "1 to 65535", set_number<&Options::width, 1, 65535>},
};

std::string unknown(const std::string& name) {
  std::string message = "unknown option " + printable(name, 60);
  const std::string_view start = std::string_view(name).substr(0, 60);
  const auto distance = [&](const Row& row) { return edit_distance(start, row.name); };
  const auto nearest = std::ranges::min_element(kRows, {}, distance);
  if (distance(*nearest) <= 3) {
    message += "; did you mean " + std::string(nearest->name) + "?";
  }
  return message;
}

}  // namespace

Result<Options> parse_options(const OptionTexts& texts) {
  Options options;
  for (const auto& [name, text] : texts) {
    const auto row = std::ranges::find(kRows, name, &Row::name);
    if (row == kRows.end()) return fail(ErrorKind::Input, unknown(name));
    if (!row->set(options, text)) {
      return fail(ErrorKind::Input, "option " + name + " is " + std::string(row->permitted) +
                                        ", not " + printable(text, 60));
    }
  }
  return options;
}

}  // namespace millrace::render
