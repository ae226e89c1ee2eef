// A list as a test writes it, read to its end.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "agent/download/list_reader.hpp"
#include "tests/support/catch.hpp"

namespace millrace::test {

struct ReadList {
  std::vector<ListItem> items;
  std::vector<std::string> wrong;  // messages of items
  std::string broken;              // why the list ended early
};

inline ReadList read_list(const std::string& name, const std::string& text) {
  std::istringstream in(text);
  ListReader reader(in, name);
  ReadList list;
  for (;;) {
    auto item = reader.next();
    if (item && !*item) return list;
    if (item) {
      list.items.push_back(std::move(**item));
    } else if (item.error().kind == ErrorKind::Input) {
      list.wrong.push_back(item.error().message);
    } else {
      CHECK(item.error().kind == ErrorKind::Configuration);
      list.broken = item.error().message;
    }
  }
}

// The same list handed over in pieces of `piece` bytes.
inline std::vector<ListItem> parse_in_pieces(ListKind kind, std::string_view text,
                                             std::size_t piece) {
  std::vector<ListItem> items;
  const auto parser = make_list_parser(kind);
  const ItemSink sink = [&](Result<ListItem> item) {
    REQUIRE(item);
    items.push_back(std::move(*item));
  };
  while (!text.empty()) {
    const auto part = text.substr(0, piece);
    REQUIRE(parser->add(std::as_bytes(std::span(part)), sink));
    text.remove_prefix(part.size());
  }
  REQUIRE(parser->finish(sink));
  return items;
}

}  // namespace millrace::test
