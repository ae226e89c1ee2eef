#include "agent/download/list_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/download/binary_plist.hpp"
#include "agent/download/csv_rows.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Cuts lines out of what arrives; a line too long is told once and left out.
class LineParser : public ListParser {
 public:
  Result<void> add(std::span<const std::byte> bytes, const ItemSink& sink) final {
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!text.empty()) {
      const auto end = text.find('\n');
      keep(text.substr(0, end));
      if (end == text.npos) return {};
      end_line(sink);
      text.remove_prefix(end + 1);
    }
    return {};
  }
  Result<void> finish(const ItemSink& sink) final {
    if (!line_.empty()) end_line(sink);
    return end(sink);
  }

 protected:
  virtual void line(std::uint64_t number, std::string_view text, const ItemSink& sink) = 0;
  virtual Result<void> end(const ItemSink&) { return {}; }

 private:
  void keep(std::string_view part) {
    // One byte more than allowed says that the line was too long.
    line_.append(part.substr(0, kLongestLine + 1 - std::min(line_.size(), kLongestLine + 1)));
  }
  void end_line(const ItemSink& sink) {
    ++number_;
    std::string_view text = line_;
    if (number_ == 1 && text.starts_with(kByteOrderMark)) text.remove_prefix(3);
    if (text.size() > kLongestLine)
      sink(fail(ErrorKind::Input, std::to_string(number_) + ": the line is longer than 64 KiB"));
    else
      line(number_, trimmed(text), sink);
    line_.clear();
  }

  std::string line_;
  std::uint64_t number_ = 0;
};

class TextParser final : public LineParser {
  void line(std::uint64_t number, std::string_view text, const ItemSink& sink) override {
    if (text.empty() || text.front() == '#') return;
    const auto blank = std::min(text.find_first_of(kBlanks), text.size());
    sink(make_item(number, text.substr(0, blank), trimmed(text.substr(blank)), {}, {}));
  }
};

class ShortcutParser final : public LineParser {
  void line(std::uint64_t number, std::string_view text, const ItemSink& sink) override {
    if (text.starts_with('[')) in_section_ = to_lower_ascii(text) == "[internetshortcut]";
    if (!in_section_ || found_ || to_lower_ascii(text.substr(0, 4)) != "url=") return;
    found_ = true;
    sink(make_item(number, trimmed(text.substr(4)), {}, {}, {}));
  }
  Result<void> end(const ItemSink&) override {
    if (found_) return {};
    return fail(ErrorKind::Configuration, "1: no line URL= under [InternetShortcut]");
  }

  bool in_section_ = false;
  bool found_ = false;
};

// Its last bytes say where the others begin, so that all of it is kept until the end.
class PlistParser final : public ListParser {
 public:
  Result<void> add(std::span<const std::byte> bytes, const ItemSink&) override {
    if (bytes.size() > kLongestLine - text_.size())
      return fail(ErrorKind::Configuration, "1: the property list is longer than 64 KiB");
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Result<void> finish(const ItemSink& sink) override {
    const auto url = text_in_binary_plist(text_, "URL");
    if (!url) return fail(ErrorKind::Configuration, "1: there is no URL in the property list");
    sink(make_item(1, *url, {}, {}, {}));
    return {};
  }

 private:
  std::string text_;
};

// A text, a number as JSON writes it, or nothing.
std::optional<std::string> member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_unsigned()) return std::to_string(found->get<std::uint64_t>());
  return std::nullopt;
}

class JsonParser final : public LineParser {
  void line(std::uint64_t number, std::string_view text, const ItemSink& sink) override {
    if (text.empty()) return;
    const auto object = nlohmann::json::parse(text, nullptr, false);
    const std::string place = std::to_string(number);
    if (!object.is_object())
      return sink(fail(ErrorKind::Input, place + R"(: write an object, {"url": "https://..."})"));
    std::array<std::string, 4> values;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      auto value = member(object, kColumns[i]);
      if (!value) return sink(fail(ErrorKind::Input, place + ": `" + kColumns[i] + "` is no text"));
      values[i] = std::move(*value);
    }
    sink(make_item(number, values[0], values[1], values[2], values[3]));
  }
};

class CsvParser final : public ListParser {
 public:
  Result<void> add(std::span<const std::byte> bytes, const ItemSink& sink) override {
    return rows_.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, taker(sink));
  }
  Result<void> finish(const ItemSink& sink) override {
    if (auto ended = rows_.finish(taker(sink)); !ended) return ended;
    if (columns_) return {};
    return fail(ErrorKind::Configuration, "1: the first row must name the columns, as url,name");
  }

 private:
  CsvRows::Sink taker(const ItemSink& sink) {
    return [this, &sink](const Result<CsvRow>& row) { return take(row, sink); };
  }
  Result<void> take(const Result<CsvRow>& row, const ItemSink& sink) {
    if (!row) {
      sink(std::unexpected(row.error()));
      return {};
    }
    if (!columns_) return name_columns(*row);
    if (row->fields.size() == 1 && trimmed(row->fields[0]).empty()) return {};
    std::array<std::string_view, 4> values;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto place = (*columns_)[i];
      if (place < row->fields.size()) values[i] = trimmed(row->fields[place]);
    }
    sink(make_item(row->line, values[0], values[1], values[2], values[3]));
    return {};
  }
  Result<void> name_columns(const CsvRow& row) {
    columns_.emplace();
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      const auto found = std::ranges::find_if(row.fields, [&](const std::string& field) {
        return to_lower_ascii(trimmed(field)) == kColumns[i];
      });
      (*columns_)[i] = static_cast<std::size_t>(found - row.fields.begin());
    }
    if ((*columns_)[0] < row.fields.size()) return {};
    return fail(ErrorKind::Configuration,
                std::to_string(row.line) +
                    ": no column is named `url`; the first row must name the columns, as url,name");
  }

  CsvRows rows_;
  // Where each of kColumns stands; past the end: nowhere.
  std::optional<std::array<std::size_t, 4>> columns_;
};

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// Does the first row name a column `url`?
bool names_columns(std::string_view beginning) {
  const std::string row = to_lower_ascii(beginning.substr(0, beginning.find('\n')));
  for (std::string_view rest = row; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    if (const auto field = trimmed(rest.substr(0, comma)); field == "url" || field == "\"url\"")
      return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

struct Ending {
  std::string_view text;
  ListKind kind;
};
constexpr std::array kEndings{
    Ending{".csv", ListKind::Csv},          Ending{".jsonl", ListKind::JsonLines},
    Ending{".ndjson", ListKind::JsonLines}, Ending{".metalink", ListKind::Xml},
    Ending{".meta4", ListKind::Xml},        Ending{".webloc", ListKind::Xml},
    Ending{".url", ListKind::Shortcut},
};

}  // namespace

ListKind kind_of_list(std::string_view name, std::string_view beginning) {
  if (beginning.starts_with(kBinaryPlistMark)) return ListKind::Plist;
  const std::string lower = to_lower_ascii(name);
  for (const Ending& ending : kEndings)
    if (lower.ends_with(ending.text)) return ending.kind;
  if (beginning.starts_with(kByteOrderMark)) beginning.remove_prefix(3);
  beginning.remove_prefix(std::min(beginning.find_first_not_of(" \t\r\n"), beginning.size()));
  if (beginning.starts_with('<')) return ListKind::Xml;
  if (beginning.starts_with('{')) return ListKind::JsonLines;
  if (to_lower_ascii(beginning.substr(0, 18)) == "[internetshortcut]") return ListKind::Shortcut;
  return names_columns(beginning) ? ListKind::Csv : ListKind::Text;
}

std::unique_ptr<ListParser> make_list_parser(ListKind kind) {
  switch (kind) {
    case ListKind::Text:
      break;
    case ListKind::Csv:
      return std::make_unique<CsvParser>();
    case ListKind::JsonLines:
      return std::make_unique<JsonParser>();
    case ListKind::Xml:
      return make_xml_parser();
    case ListKind::Shortcut:
      return std::make_unique<ShortcutParser>();
    case ListKind::Plist:
      return std::make_unique<PlistParser>();
  }
  return std::make_unique<TextParser>();
}

Result<ListItem> make_item(std::uint64_t line, std::string_view url, std::string_view name,
                           std::string_view sha256, std::string_view size) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorKind::Input, std::to_string(line) + ": " + what);
  };
  ListItem item;
  item.line = line;
  item.url = url;
  item.name = name;
  item.sha256 = to_lower_ascii(sha256);
  if (url.empty()) return wrong("there is no URL");
  const std::string scheme = to_lower_ascii(url.substr(0, 8));
  if (scheme != "https://" && !scheme.starts_with("http://"))
    return wrong("a URL must begin with https://");
  if (!item.sha256.empty() && !is_sha256(item.sha256))
    return wrong("the SHA-256 must be 64 hex digits");
  if (size.empty()) return item;
  std::uint64_t bytes = 0;
  const auto [end, problem] = std::from_chars(size.data(), size.data() + size.size(), bytes);
  if (problem != std::errc{} || end != size.data() + size.size())
    return wrong("the size must be a number of bytes");
  item.size = bytes;
  return item;
}

}  // namespace millrace
