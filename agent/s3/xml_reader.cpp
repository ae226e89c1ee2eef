#include "agent/s3/xml_reader.hpp"

#include <expat.h>

#include <algorithm>
#include <new>
#include <optional>
#include <vector>

namespace millrace {

struct XmlReader::State {
  State(XmlHandler& h, DocumentType types)
      : handler(h), allowed(types), parser(XML_ParserCreate(nullptr)) {
    if (parser == nullptr) throw std::bad_alloc();
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &State::on_begin, &State::on_end);
    XML_SetCharacterDataHandler(parser, &State::on_text);
    XML_SetStartDoctypeDeclHandler(parser, &State::on_doctype);
  }
  ~State() { XML_ParserFree(parser); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static State& itself(void* self) { return *static_cast<State*>(self); }

  static void on_begin(void* self, const char* name, const char** with) noexcept {
    State& s = itself(self);
    if (s.error) return;
    if (s.lengths.size() == kMostDepth) return s.stop("is nested too deeply");
    s.text.clear();
    s.lengths.push_back(s.path.size());
    std::string_view local = name;
    if (const auto colon = local.find(':'); colon != local.npos) local.remove_prefix(colon + 1);
    if (!s.path.empty()) s.path += '/';
    s.path += local;
    if (s.path.size() > kMostText) return s.stop("has names without end");
    s.take(s.handler.element_begins(s.path, XmlAttributes(with)));
  }

  static void on_end(void* self, const char*) noexcept {
    State& s = itself(self);
    if (s.error) return;
    s.take(s.handler.element_ends(s.path, s.text));
    s.text.clear();
    s.path.resize(s.lengths.back());
    s.lengths.pop_back();
  }

  static void on_text(void* self, const char* text, int length) noexcept {
    State& s = itself(self);
    if (s.error) return;
    const auto size = static_cast<std::size_t>(length);
    if (s.text.size() + size > kMostText) return s.stop("has a text without end");
    s.text.append(text, size);
  }

  // One with a subset of its own could name other files, or grow without end.
  static void on_doctype(void* self, const char*, const char*, const char*, int own) noexcept {
    if (itself(self).allowed == DocumentType::ByName && own == 0) return;
    itself(self).stop("has a document type, which is not taken");
  }

  void take(const Result<void>& result) {
    if (result) return;
    error = result.error();
    XML_StopParser(parser, XML_FALSE);
  }
  void stop(std::string_view what) {
    take(fail(ErrorKind::Transient, "the XML " + std::string(what)));
  }

  Result<void> parse(std::span<const std::byte> bytes, bool last) {
    if (error) return std::unexpected(*error);
    const auto done = XML_Parse(parser, reinterpret_cast<const char*>(bytes.data()),
                                static_cast<int>(bytes.size()), last ? XML_TRUE : XML_FALSE);
    taken += bytes.size();
    // What expat holds back is the beginning of something that has not ended yet.
    const auto seen =
        static_cast<std::size_t>(std::max<XML_Index>(XML_GetCurrentByteIndex(parser), 0));
    if (!error && done != XML_STATUS_ERROR && !last && taken - std::min(seen, taken) > kMostMarkup)
      stop("has a tag without end");
    if (!error && done == XML_STATUS_ERROR)
      error = Error{ErrorKind::Transient,
                    std::string("this is no XML: ") + XML_ErrorString(XML_GetErrorCode(parser)),
                    0,
                    {}};
    if (error) return std::unexpected(*error);
    return {};
  }

  XmlHandler& handler;
  const DocumentType allowed;
  XML_Parser parser;
  std::string path;
  std::vector<std::size_t> lengths;  // of the path before each open element
  std::string text;
  std::size_t taken = 0;
  std::optional<Error> error;
};

std::string_view XmlAttributes::operator[](std::string_view name) const {
  for (auto pair = pairs_; *pair != nullptr; pair += 2)
    if (name == *pair) return pair[1];
  return {};
}

XmlReader::XmlReader(XmlHandler& handler, DocumentType allowed)
    : state_(std::make_unique<State>(handler, allowed)) {}
XmlReader::~XmlReader() = default;

Result<void> XmlReader::add(std::span<const std::byte> bytes) {
  // expat counts in int, and the limit on markup is looked at between pieces.
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 16 * 1024));
    if (auto parsed = state_->parse(piece, false); !parsed) return parsed;
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<void> XmlReader::finish() { return state_->parse({}, true); }

std::size_t XmlReader::line() const { return XML_GetCurrentLineNumber(state_->parser); }

}  // namespace millrace
