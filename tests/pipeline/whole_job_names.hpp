// Names and contents that the machine of the power cuts and its checks share.
#pragma once

#include <string>

namespace millrace::test {

inline const std::string kFolder = "photos";
inline const std::string kConverter = "api";
inline const std::string kInbox = "/power-cut/in";
inline const std::string kOutbox = "/power-cut/out";
inline const std::string kArchive = "/power-cut/archive";
inline const std::string kQuarantine = "/power-cut/failed";
inline const std::string kLedger = "ledger.db";
inline const std::string kSource = "a.png";
inline const std::string kFirst(2'000, '1');
inline const std::string kSecond(2'500, '2');  // what it is replaced by

}  // namespace millrace::test
