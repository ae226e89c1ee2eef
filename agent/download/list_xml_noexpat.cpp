// Stands in where the program is built without expat.
#include "agent/download/list_parser.hpp"

namespace millrace {
namespace {

class NoXmlParser final : public ListParser {
  Result<void> add(std::span<const std::byte>, const ItemSink&) override {
    return fail(ErrorKind::Configuration,
                "1: this build reads no XML; write the list as text, CSV or JSON lines");
  }
  Result<void> finish(const ItemSink&) override { return {}; }
};

}  // namespace

std::unique_ptr<ListParser> make_xml_parser() { return std::make_unique<NoXmlParser>(); }

}  // namespace millrace
