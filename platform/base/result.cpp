#include "platform/base/result.hpp"

#include <algorithm>
#include <array>

namespace millrace {
namespace {

struct KindName {
  ErrorKind kind;
  std::string_view name;
};

constexpr std::array kKindNames{
    KindName{ErrorKind::Input, "input"},
    KindName{ErrorKind::Configuration, "configuration"},
    KindName{ErrorKind::Quota, "quota"},
    KindName{ErrorKind::Rate, "rate"},
    KindName{ErrorKind::Busy, "busy"},
    KindName{ErrorKind::Transient, "transient"},
    KindName{ErrorKind::Unreachable, "unreachable"},
    KindName{ErrorKind::Converter, "converter"},
    KindName{ErrorKind::Environment, "environment"},
    KindName{ErrorKind::Changed, "changed"},
    KindName{ErrorKind::Vanished, "vanished"},
    KindName{ErrorKind::Exists, "exists"},
    KindName{ErrorKind::Stopped, "stopped"},
    KindName{ErrorKind::Defect, "defect"},
};

}  // namespace

std::string_view to_string(ErrorKind kind) {
  const auto row = std::ranges::find(kKindNames, kind, &KindName::kind);
  return row == kKindNames.end() ? "defect" : row->name;
}

ErrorKind error_kind_from(std::string_view text) {
  const auto row = std::ranges::find(kKindNames, text, &KindName::name);
  return row == kKindNames.end() ? ErrorKind::Defect : row->kind;
}

std::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message.insert(0, ": ");
  error.message.insert(0, context);
  return std::unexpected(std::move(error));
}

}  // namespace millrace
