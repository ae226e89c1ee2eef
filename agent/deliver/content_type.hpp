// The kind of a file as a bucket tells it to browsers.
#pragma once

#include <string>

namespace millrace {

// By the ending of the key; empty for one that is not known here.
std::string content_type_of(const std::string& key);

}  // namespace millrace
