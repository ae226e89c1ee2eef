// The kinds of lists, each read as it arrives, in constant memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "agent/download/list_item.hpp"

namespace millrace {

enum class ListKind {
  Text,       // a line is a URL, perhaps followed by blanks and a name; `#` begins a comment
  Csv,        // RFC 4180, the first row names the columns: url, name, sha256, size
  JsonLines,  // an object a line, with the same members
  Xml,        // Metalink 4 (RFC 5854), or the property list of a .webloc
  Shortcut,   // .url: the line URL= of [InternetShortcut]
  Plist,      // .webloc as a binary property list
};

// By `bplist`, with which only a property list begins; by the name (.csv, .jsonl, .ndjson,
// .metalink, .meta4, .webloc, .url), else by how the content begins: `<`, `{`,
// `[InternetShortcut]`, or a first row that has a column `url`. Text otherwise.
ListKind kind_of_list(std::string_view name, std::string_view beginning);

// One list. One thread at a time; blocks for nothing but what the sink does.
class ListParser {
 public:
  static constexpr std::size_t kLongestLine = 64 * 1024;  // bytes; a longer one is an error of it

  virtual ~ListParser() = default;
  // The next bytes, cut anywhere. An error ends the list: its columns or its XML cannot be
  // understood (Configuration).
  virtual Result<void> add(std::span<const std::byte> bytes, const ItemSink& sink) = 0;
  // The end of the list.
  virtual Result<void> finish(const ItemSink& sink) = 0;
};

std::unique_ptr<ListParser> make_list_parser(ListKind kind);
// ListKind::Xml; where the program is built without expat, one that says so.
std::unique_ptr<ListParser> make_xml_parser();

// What every kind makes of its fields: Input if one of them is none.
Result<ListItem> make_item(std::uint64_t line, std::string_view url, std::string_view name,
                           std::string_view sha256, std::string_view size);

}  // namespace millrace
