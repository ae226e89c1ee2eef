// Which addresses belong to the public internet.
#pragma once

#include <cstddef>
#include <span>

namespace millrace {

// `address` holds the 4 or 16 bytes of an IPv4 or IPv6 address, as the network has them; anything
// else is not public. Nothing that leads to this machine, its networks or a group of machines is,
// nor what carries another address inside (IPv4-mapped, NAT64, 6to4, Teredo). After the special-
// purpose registries of IANA (RFC 6890).
bool is_public_address(std::span<const std::byte> address);

}  // namespace millrace
