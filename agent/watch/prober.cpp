#include "agent/watch/prober.hpp"

#include "agent/watch/end_mark.hpp"
#include "agent/watch/placeholders.hpp"
#include "agent/watch/version.hpp"
#include "platform/base/text.hpp"

namespace millrace {
namespace {

WriterTest writer_test(WriterPresence presence) {
  switch (presence) {
    case WriterPresence::None:
      return WriterTest::None;
    case WriterPresence::Open:
      return WriterTest::Open;
    case WriterPresence::Unknown:
      break;
  }
  return WriterTest::Unknown;
}

void refuse(const Error& error, ProbeAnswer& answer) {
  answer.placeholder = means_placeholder(error);
  answer.refusal = error.message;
}

void look_inside(InputFile& file, const Name& name, ProbeAnswer& answer) {
  answer.writer = writer_test(file.writer());
  auto info = file.info();
  if (!info) return refuse(info.error(), answer);
  if (info->placeholder) {
    answer.placeholder = true;
    return;
  }
  // Until its writer is gone the end says nothing, and Windows may not let it be read.
  if (answer.writer == WriterTest::Open) return;
  auto mark = end_mark_of(name, info->size, [&](std::uint64_t offset, std::span<std::byte> into) {
    return file.read_at(offset, into);
  });
  if (mark) {
    answer.end_mark = *mark;
  } else {
    refuse(mark.error(), answer);
  }
}

}  // namespace

ProbeAnswer probe(Directory& directory, const NameFilter& filter, FileSystemNature nature,
                  const ProbeRequest& request) {
  ProbeAnswer answer;
  answer.root = request.root;
  answer.name = request.name;
  if (auto file = directory.open(request.name)) {
    look_inside(**file, request.name, answer);
  } else if (file.error().kind != ErrorKind::Vanished) {
    refuse(file.error(), answer);
  }
  if (const auto marker = filter.marker_of(request.name)) {
    answer.marker_present = directory.info(*marker).has_value();
  }
  auto info = directory.info(request.name);
  if (!info) {
    answer.gone = info.error().kind == ErrorKind::Vanished;
    if (!answer.gone) answer.refusal = info.error().message;
    return answer;
  }
  answer.gone = info->type != FileType::Regular;
  if (answer.gone) return answer;
  answer.stamp = stamp_of(*info);
  answer.version = version_text(*info, nature);
  return answer;
}

}  // namespace millrace
