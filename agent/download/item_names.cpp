#include "agent/download/item_names.hpp"

#include <algorithm>

#include "agent/deliver/naming.hpp"
#include "agent/transfer/url_parts.hpp"
#include "platform/base/sha256.hpp"
#include "platform/fs/path_text.hpp"

namespace millrace {
namespace {

Digest key_digest(const ListItem& item) { return sha256(item.url + "\n" + item.name); }

// Parts that lead nowhere are left out; what they hold else is escaped by the naming function.
std::string wished_name(const ListItem& item) {
  Name wished;
  for (const auto part : split_name(item.name)) {
    if (!part.empty() && part != ".") wished = join_name(wished, part);
  }
  if (!wished.empty()) return wished;
  std::string leaf = path_leaf(item.url);
  // One part, whatever was encoded in it.
  std::ranges::replace(leaf, '/', '_');
  return leaf.empty() ? "download" : leaf;
}

Name named(const std::string& wished) {
  NameRequest request;
  request.pattern = "{name}";
  request.source = wished;
  return output_name(request, 0);
}

}  // namespace

std::string item_key(const ListItem& item) {
  const Digest digest = key_digest(item);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Name item_name(const ListItem& item) { return named(wished_name(item)); }

Name other_item_name(const ListItem& item) {
  std::string wished = wished_name(item);
  const auto leaf = wished.rfind('/') + 1;  // 0 where there is none
  auto dot = wished.rfind('.');
  if (dot == wished.npos || dot <= leaf) dot = wished.size();
  wished.insert(dot, "~" + to_hex(key_digest(item)).substr(0, 8));
  return named(wished);
}

}  // namespace millrace
