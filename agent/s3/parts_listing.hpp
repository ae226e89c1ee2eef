// A page of ListParts.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "agent/s3/s3_client.hpp"

namespace millrace {

// Appends the parts of the page; whether another one follows. Nothing if this is no whole page.
std::optional<bool> read_parts_listing(std::string_view xml, std::vector<ListedPart>& parts);

}  // namespace millrace
