// Metalink 4 (RFC 5854) and the property list of a .webloc.
#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "agent/download/list_parser.hpp"
#include "agent/s3/xml_reader.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

constexpr int kLastPriority = std::numeric_limits<int>::max();

int priority_of(std::string_view text) {
  int priority = kLastPriority;
  std::from_chars(text.data(), text.data() + text.size(), priority);
  return priority;
}

class XmlListParser final : public ListParser, private XmlHandler {
 public:
  Result<void> add(std::span<const std::byte> bytes, const ItemSink& sink) override {
    sink_ = &sink;
    return told(reader_.add(bytes));
  }
  Result<void> finish(const ItemSink& sink) override {
    sink_ = &sink;
    return told(reader_.finish());
  }

 private:
  struct File {
    std::uint64_t line = 0;
    std::string name, url, sha256, size;
    int priority = kLastPriority;  // of `url`; RFC 5854 4.2.16.1: the lowest is the best
  };

  // What is wrong with a list no later attempt puts right.
  Result<void> told(Result<void> result) const {
    if (result) return result;
    return fail(ErrorKind::Configuration,
                std::to_string(reader_.line()) + ": " + result.error().message);
  }

  Result<void> element_begins(std::string_view path, const XmlAttributes& with) override {
    if (path.find('/') == path.npos && path != "metalink" && path != "plist")
      return fail(ErrorKind::Configuration,
                  "`" + printable(path, 100) + "` is neither a metalink nor a property list");
    if (path == "metalink/files")
      return fail(ErrorKind::Configuration, "this is Metalink 3; Metalink 4 is read (RFC 5854)");
    if (path == "metalink/file") file_ = {reader_.line(), std::string(with["name"]), {}, {}, {}};
    hash_type_ = with["type"];
    priority_ = priority_of(with["priority"]);
    return {};
  }

  Result<void> element_ends(std::string_view path, std::string_view text) override {
    if (path == "metalink/file/size") file_.size = text;
    if (path == "metalink/file/hash" && hash_type_ == "sha-256") file_.sha256 = text;
    if (path == "metalink/file/url" && is_better()) {
      file_.url = text;
      file_.priority = priority_;
    }
    if (path == "metalink/file")
      (*sink_)(make_item(file_.line, file_.url, file_.name, file_.sha256, file_.size));
    if (path == "plist/dict/key") url_follows_ = text == "URL";
    if (path == "plist/dict/string" && std::exchange(url_follows_, false))
      (*sink_)(make_item(reader_.line(), text, {}, {}, {}));
    return {};
  }

  bool is_better() const { return file_.url.empty() || priority_ < file_.priority; }

  XmlReader reader_{*this, DocumentType::ByName};
  const ItemSink* sink_ = nullptr;
  File file_;
  std::string hash_type_;
  int priority_ = kLastPriority;
  bool url_follows_ = false;
};

}  // namespace

std::unique_ptr<ListParser> make_xml_parser() { return std::make_unique<XmlListParser>(); }

}  // namespace millrace
