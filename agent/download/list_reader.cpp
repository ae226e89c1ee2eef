#include "agent/download/list_reader.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <utility>

#include "platform/base/native_path.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr std::size_t kPieceOfList = 16 * 1024;

}  // namespace

Result<ListReader> ListReader::open(const std::filesystem::path& path) {
  const std::string name = printable(path_text(path));
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(ErrorKind::Configuration, name + " is a folder; name a list");
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file)
    return fail(ErrorKind::Configuration, name + " cannot be opened; is it there and readable?");
  return ListReader(std::move(file), name);
}

ListReader::ListReader(std::istream& from, std::string name)
    : from_(&from), name_(std::move(name)) {}

ListReader::ListReader(std::unique_ptr<std::istream> owned, std::string name)
    : owned_(std::move(owned)), from_(owned_.get()), name_(std::move(name)) {}

Result<std::optional<ListItem>> ListReader::next() {
  while (ready_.empty()) {
    if (ended_) return std::nullopt;
    if (auto read = read_more(); !read) {
      ended_ = true;
      ready_.push_back(std::unexpected(read.error()));
    }
  }
  auto item = std::move(ready_.front());
  ready_.pop_front();
  if (!item) return std::unexpected(placed(item.error()));
  return std::optional(std::move(*item));
}

// Takes what is there: a pipe may be filled slowly.
Result<void> ListReader::read_more() {
  std::string piece(kPieceOfList, '\0');
  std::streamsize n = 0;
  if (from_->peek() != std::istream::traits_type::eof())
    n = from_->readsome(piece.data(), static_cast<std::streamsize>(kPieceOfList));
  if (from_->bad()) return fail(ErrorKind::Environment, "0: the list cannot be read any further");
  piece.resize(static_cast<std::size_t>(n));
  if (!parser_) parser_ = make_list_parser(kind_of_list(name_, piece));
  const ItemSink sink = [this](Result<ListItem> item) { ready_.push_back(std::move(item)); };
  if (n > 0) return parser_->add(std::as_bytes(std::span(piece)), sink);
  ended_ = true;
  return parser_->finish(sink);
}

// Messages of parsers are `LINE: WHAT`.
Error ListReader::placed(const Error& error) {
  Error told = error;
  const auto colon = std::min(error.message.find(": "), error.message.size());
  fault_ = {};
  std::from_chars(error.message.data(), error.message.data() + colon, fault_.line);
  fault_.what = error.message.substr(std::min(colon + 2, error.message.size()));
  told.message = name_ + ":" + error.message;
  return told;
}

}  // namespace millrace
