// What a check found, and how it is shown.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace millrace {

enum class FindingLevel { Ok, Warning, Error };

struct Finding {
  FindingLevel level = FindingLevel::Ok;
  std::string subject;     // "inbox of pictures"
  std::string message;     // what is so
  std::string what_to_do;  // empty if nothing
};

inline Finding found_well(std::string subject, std::string message) {
  return {FindingLevel::Ok, std::move(subject), std::move(message), {}};
}

std::size_t count_of(std::span<const Finding> findings, FindingLevel level);

// One line for people, without its end: `ERROR inbox of a: /x does not exist -> mkdir -p /x`. Safe
// for a terminal, whatever the texts hold.
std::string to_line(const Finding& finding);
// {"findings":[{"level","subject","message","what_to_do"}],"errors":n,"warnings":n}
std::string to_json(std::span<const Finding> findings);

}  // namespace millrace
