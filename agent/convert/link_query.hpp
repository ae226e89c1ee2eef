// Links in what the other side says.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// The words without the queries of links in them, each replaced by `?(hidden)`: a presigned link is
// a key to the customer's bucket for as long as it lives, and a service quotes in its errors what
// it was asked to fetch. Signatures that stand alone are cut off likewise, and percent-encoded
// links. For all texts of an answer before they are logged, kept or shown.
std::string without_queries(std::string_view words);

}  // namespace millrace
