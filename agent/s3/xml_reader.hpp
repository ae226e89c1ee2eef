// XML as it arrives, in constant memory; expat stays in one source.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "platform/base/result.hpp"

namespace millrace {

// What stands in an element's tag. Valid during the call that it is given to.
class XmlAttributes {
 public:
  // Name, value, name, value, ..., null; as expat has them.
  explicit XmlAttributes(const char* const* pairs) : pairs_(pairs) {}
  std::string_view operator[](std::string_view name) const;  // empty if it is not there

 private:
  const char* const* pairs_;
};

// Paths are names from the root on, without prefixes of namespaces:
// "ListBucketResult/Contents/Key". Nothing here may throw: it is called from C.
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual Result<void> element_begins(std::string_view path, const XmlAttributes& with) = 0;
  // `text` is what stands right before the end: all of it, for an element without others in it.
  virtual Result<void> element_ends(std::string_view path, std::string_view text) = 0;
};

// ByName: a document type that only names one elsewhere, which nobody reads, is passed over.
enum class DocumentType { Refused, ByName };

// One document. One thread at a time; never blocks, but for what the handler does.
class XmlReader {
 public:
  static constexpr std::size_t kMostText = 16 * 1024;    // bytes of one element's text
  static constexpr std::size_t kMostMarkup = 64 * 1024;  // bytes of one tag, comment or the like
  static constexpr std::size_t kMostDepth = 16;

  explicit XmlReader(XmlHandler& handler, DocumentType allowed = DocumentType::Refused);
  ~XmlReader();
  XmlReader(const XmlReader&) = delete;
  XmlReader& operator=(const XmlReader&) = delete;

  // The next bytes, cut anywhere. The handler's own error ends the document; Transient if this is
  // not XML, has a document type (which could name other files) or passes a limit. After an error
  // every further call fails.
  Result<void> add(std::span<const std::byte> bytes);
  // Transient if the document is not whole.
  Result<void> finish();
  std::size_t line() const;  // of what is being read, from 1

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
