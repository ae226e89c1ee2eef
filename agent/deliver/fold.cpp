#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "agent/deliver/naming.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

struct Free {
  void operator()(utf8proc_uint8_t* memory) const { std::free(memory); }
};

std::string map(std::string_view text, int options) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(mapped);
  if (length < 0) return to_lower_ascii(text);
  return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length)};
}

}  // namespace

std::string fold_name(std::string_view name) {
  // ASCII is its own decomposition, and most names hold nothing else.
  const bool ascii = std::ranges::all_of(name, [](unsigned char c) { return c < 0x80; });
  if (ascii || !is_valid_utf8(name)) return to_lower_ascii(name);
  // D145 decomposes before and after folding: a few characters (U+0345) fold into letters whose
  // order among the marks is only right when it was decomposed first.
  const int fold_decomposed = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD;
  const auto decomposed = map(name, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  return map(map(decomposed, fold_decomposed), UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

}  // namespace millrace
