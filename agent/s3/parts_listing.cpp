#include "agent/s3/parts_listing.hpp"

#include <charconv>
#include <span>
#include <utility>

#include "agent/s3/xml_reader.hpp"

namespace millrace {
namespace {

template <typename Number>
Result<void> read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return {};
  return fail(ErrorKind::Transient, "not a number");
}

class PartsHandler final : public XmlHandler {
 public:
  explicit PartsHandler(std::vector<ListedPart>& parts) : parts_(parts) {}
  std::optional<bool> truncated;

 private:
  Result<void> element_begins(std::string_view, const XmlAttributes&) override { return {}; }
  Result<void> element_ends(std::string_view path, std::string_view text) override {
    if (path == "ListPartsResult/IsTruncated") truncated = text == "true";
    if (path == "ListPartsResult/Part/PartNumber") return read_number(text, part_.part.number);
    if (path == "ListPartsResult/Part/Size") return read_number(text, part_.size);
    if (path == "ListPartsResult/Part/ETag") part_.part.etag = bare_etag(text);
    if (path == "ListPartsResult/Part") parts_.push_back(std::exchange(part_, {}));
    return {};
  }

  std::vector<ListedPart>& parts_;
  ListedPart part_;
};

}  // namespace

std::optional<bool> read_parts_listing(std::string_view xml, std::vector<ListedPart>& parts) {
  PartsHandler handler(parts);
  XmlReader reader(handler);
  const bool whole = reader.add(std::as_bytes(std::span(xml))) && reader.finish();
  return whole ? handler.truncated : std::nullopt;
}

}  // namespace millrace
