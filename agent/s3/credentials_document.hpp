// The JSON in which metadata services and containers hand out keys.
#pragma once

#include <string_view>

#include "agent/s3/credentials.hpp"

namespace millrace {

// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} and, where there is one, a "Code" that
// must be "Success". Transient if it is none, naming `who` gave it; no message holds a key.
Result<Credentials> parse_credentials_document(std::string_view json, std::string_view who);

// Keys as a person or a service wrote them: spaces and line ends around them are cut. Configuration
// if one is empty or holds what no header may hold; `where` names the place.
Result<Credentials> checked(Credentials keys, std::string_view where);

}  // namespace millrace
