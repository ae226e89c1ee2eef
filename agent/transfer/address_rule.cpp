#include "agent/transfer/address_rule.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace millrace {
namespace {

struct Range {
  std::uint32_t first;
  unsigned bits;
};
constexpr std::array kNotPublic4{
    Range{0x00000000, 8},   // this network
    Range{0x0A000000, 8},   // private
    Range{0x64400000, 10},  // shared by a carrier's customers
    Range{0x7F000000, 8},   // loopback
    Range{0xA9FE0000, 16},  // link-local, and the clouds' metadata services
    Range{0xAC100000, 12},  // private
    Range{0xC0000000, 24},  // protocol assignments
    Range{0xC0000200, 24},  // documentation
    Range{0xC0586300, 24},  // 6to4 relays
    Range{0xC0A80000, 16},  // private
    Range{0xC6120000, 15},  // benchmarks
    Range{0xC6336400, 24},  // documentation
    Range{0xCB007100, 24},  // documentation
    Range{0xE0000000, 4},   // multicast
    Range{0xF0000000, 4},   // reserved, broadcast
};

// The first 32 bits decide. Only 2000::/3 is given out; these parts of it are not public.
constexpr Range kGlobal6{0x20000000, 3};
constexpr std::array kNotPublic6{
    Range{0x20010000, 23},  // protocol assignments, Teredo among them
    Range{0x20010DB8, 32},  // documentation
    Range{0x20020000, 16},  // 6to4
    Range{0x3FFF0000, 20},  // documentation
};

bool holds(const Range& range, std::uint32_t address) {
  return ((range.first ^ address) >> (32 - range.bits)) == 0;
}

}  // namespace

bool is_public_address(std::span<const std::byte> address) {
  if (address.size() != 4 && address.size() != 16) return false;
  std::uint32_t head = 0;
  for (const std::byte b : address.first(4)) head = head << 8 | std::to_integer<std::uint32_t>(b);
  const auto in = [head](const Range& range) { return holds(range, head); };
  if (address.size() == 4) return std::ranges::none_of(kNotPublic4, in);
  return in(kGlobal6) && std::ranges::none_of(kNotPublic6, in);
}

}  // namespace millrace
