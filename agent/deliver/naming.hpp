// Which name a result gets. Pure: no disk, no ledger.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/deliver/portable_name.hpp"
#include "agent/job/candidate.hpp"
#include "platform/base/result.hpp"

namespace millrace {

struct NameRequest {
  std::string pattern = "{stem}.{to}";
  Name source;     // the candidate's name, "scans/a.png"
  std::string to;  // the target format, "webp"
};

// Placeholders, for scans/a.png to webp: {stem} a, {name} a.png, {ext} png, {to} webp. A `/` in the
// pattern makes folders beneath the source's own. Configuration if the pattern is empty, has an
// unknown or open placeholder, an absolute or leading-out path, or neither {stem} nor {name} (every
// source would get the same name).
Result<void> validate_template(std::string_view pattern);

// The choices for one result, best first, all different, without end: 0 is the pattern; 1 is
// `{name}.{to}`; from 2 on the pattern with ` (2)`, ` (3)`, ... before its extension. The source's
// folders are kept. Every choice is a valid relative name, is legal on Linux, Windows and macOS
// (escape_part), and has parts of at most kMaxPart bytes. Choice 1 differs for different sources,
// whatever the pattern. A placeholder that is unknown stays as text: templates are validated when
// the settings are read.
Name output_name(const NameRequest& request, int choice);
// The first `count` choices, equal ones given once.
std::vector<Name> output_names(const NameRequest& request, int count = 20);

// What {stem} stands for, with the source's folders before it: "scans/a" of "scans/a.png". A
// leading dot begins a hidden name, not an extension.
std::string_view without_extension(std::string_view name);

// Two names that any file system might take for one have the same key: case-folded and
// NFC-normalised (Unicode, Canonical Caseless Matching, D145). What is not UTF-8 is folded as
// ASCII. Pure, idempotent.
std::string fold_name(std::string_view name);

}  // namespace millrace
