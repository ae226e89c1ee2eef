// Which name a line of a list gets, and what tells lines apart. Pure.
#pragma once

#include <string>

#include "agent/download/list_item.hpp"
#include "agent/job/candidate.hpp"

namespace millrace {

// 32 bytes that are equal for lines with the same URL and the same wished name.
std::string item_key(const ListItem& item);

// Beneath the folder and legal on all systems, by the naming function of agent/deliver: the list's
// name (`/` makes folders), else the last part of the URL's path, else "download". Never a header.
Name item_name(const ListItem& item);
// Where another line has that name: the same with eight hex digits of the key before its extension,
// so that the order of the list does not matter.
Name other_item_name(const ListItem& item);

}  // namespace millrace
