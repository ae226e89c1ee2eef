// [converter.download]: a list goes in, the files that it names are fetched into the outbox of its
// folder, and a report on them comes out, which is the result of the job. Nothing is billed.
//
// A file that cannot be fetched is told in the report, and the job succeeds. It fails (Input) if no
// file could be fetched or the list cannot be read, with the line; it is tried again later
// (Transient) if no file could be fetched yet and some still might.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/convert/converter.hpp"
#include "agent/pipeline/list_records.hpp"
#include "config/settings.hpp"
#include "platform/base/clock.hpp"

namespace millrace {

using HeadersOf = std::function<Result<Headers>(const std::string& place)>;

// The references outlive the converter. convert() holds its worker until the list has ended, or has
// not come further for the settings' patience; a stop ends it at once (Stopped), and what was
// fetched by then is not fetched again.
std::unique_ptr<Converter> make_list_converter(ListRecords& records,
                                               const ConverterSettings& settings, HeadersOf headers,
                                               const Clock& clock);

}  // namespace millrace
