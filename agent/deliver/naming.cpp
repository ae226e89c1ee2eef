#include "agent/deliver/naming.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "platform/base/text.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kUniquePattern = "{name}.{to}";

struct Values {
  std::string_view stem, name, ext, to;
};

struct Placeholder {
  std::string_view text;
  std::string_view Values::* value;
};
constexpr Placeholder kPlaceholders[] = {
    {"stem", &Values::stem}, {"name", &Values::name}, {"ext", &Values::ext}, {"to", &Values::to}};

// A leading dot begins a hidden name, not an extension.
std::size_t extension_dot(std::string_view leaf) {
  const auto dot = leaf.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? leaf.size() : dot;
}

Values values_of(const NameRequest& request) {
  const std::string_view name = leaf_of(request.source);
  const auto dot = extension_dot(name);
  return {name.substr(0, dot), name, dot < name.size() ? name.substr(dot + 1) : "", request.to};
}

const Placeholder* find_placeholder(std::string_view text) {
  const auto* found = std::ranges::find(kPlaceholders, text, &Placeholder::text);
  return found == std::end(kPlaceholders) ? nullptr : found;
}

using Visit = std::function<void(std::string_view literal, const Placeholder* placeholder)>;

// Calls `visit` for each stretch of text and each placeholder. The text that is no known
// placeholder although it stands in braces; nothing if there is none.
std::optional<std::string_view> parse(std::string_view pattern, const Visit& visit_piece) {
  std::optional<std::string_view> unknown;
  while (!pattern.empty()) {
    const auto open = pattern.find('{');
    const auto close = pattern.find('}', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) {
      if (pattern.find_first_of("{}") != std::string_view::npos) unknown = pattern;
      visit_piece(pattern, nullptr);
      break;
    }
    const Placeholder* known = find_placeholder(pattern.substr(open + 1, close - open - 1));
    if (!known || pattern.substr(0, open).find('}') != std::string_view::npos)
      unknown = pattern.substr(open, close - open + 1);
    visit_piece(pattern.substr(0, known ? open : close + 1), nullptr);
    if (known) visit_piece({}, known);
    pattern.remove_prefix(close + 1);
  }
  return unknown;
}

// The parts of one rendered pattern. Only a `/` of the pattern divides: one in a value is part of
// the name and is escaped later.
std::vector<std::string> render(std::string_view pattern, const Values& values) {
  std::vector<std::string> parts(1);
  parse(pattern, [&](std::string_view literal, const Placeholder* placeholder) {
    if (placeholder) {
      parts.back() += values.*(placeholder->value);
      return;
    }
    for (const char c : literal) {
      if (c == '/')
        parts.emplace_back();
      else
        parts.back() += c;
    }
  });
  return parts;
}

std::string with_number(const std::string& leaf, int number) {
  const auto dot = extension_dot(leaf);
  return leaf.substr(0, dot) + " (" + std::to_string(number) + ")" + leaf.substr(dot);
}

std::unexpected<Error> refuse(std::string_view pattern, const std::string& why) {
  return fail(ErrorKind::Configuration, "output name \"" + printable(pattern, 300) + "\" " + why);
}

}  // namespace

std::string_view without_extension(std::string_view name) {
  const std::string_view leaf = leaf_of(name);
  return name.substr(0, name.size() - leaf.size() + extension_dot(leaf));
}

Result<void> validate_template(std::string_view pattern) {
  if (pattern.empty()) return refuse(pattern, "is empty");
  bool tells_sources_apart = false;
  const auto unknown = parse(pattern, [&](std::string_view, const Placeholder* placeholder) {
    if (placeholder && (placeholder->text == "stem" || placeholder->text == "name"))
      tells_sources_apart = true;
  });
  if (unknown)
    return refuse(pattern, "has the unknown placeholder " + printable(*unknown, 100) +
                               "; known are {stem}, {name}, {ext} and {to}");
  if (!tells_sources_apart) return refuse(pattern, "needs {stem} or {name}");
  if (auto valid = check_relative_name(pattern); !valid)
    return refuse(pattern, "is no path beneath the outbox");
  return {};
}

Name output_name(const NameRequest& request, int choice) {
  const std::string_view pattern = choice == 1 ? kUniquePattern : std::string_view(request.pattern);
  auto parts = render(pattern, values_of(request));
  if (choice > 1) parts.back() = with_number(parts.back(), choice);
  // A `/` in a value is escaped with its part and cannot divide.
  Name name;
  const auto source_parts = split_name(request.source);
  for (std::size_t i = 0; i + 1 < source_parts.size(); ++i)
    name = join_name(name, escape_part(source_parts[i]));
  for (const std::string& part : parts) name = join_name(name, escape_part(part));
  return bounded_name(name);
}

std::vector<Name> output_names(const NameRequest& request, int count) {
  std::vector<Name> names;
  for (int choice = 0; choice < count; ++choice) {
    Name name = output_name(request, choice);
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace millrace
