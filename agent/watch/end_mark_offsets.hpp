// The types whose end is told by offsets and lengths inside the file.
#pragma once

#include "agent/watch/end_mark.hpp"

namespace millrace {

// True if every directory of the file and what it points to lies inside it. TIFF 6.0, BigTIFF.
Result<bool> tiff_is_whole(std::uint64_t size, const ReadAt& read);
// True if every segment before the picture data lies inside the file and FFD9 stands behind them:
// the metadata may hold whole pictures of its own. ITU-T T.81, annex B.
Result<bool> jpeg_is_whole(std::uint64_t size, const ReadAt& read);
// True if the boxes fill the file exactly and one is `moov` (or a fragment). ISO/IEC 14496-12.
Result<bool> mp4_is_whole(std::uint64_t size, const ReadAt& read);

// Fills `into` as far as the file reaches; returns how much.
Result<std::size_t> read_fully(const ReadAt& read, std::uint64_t offset, std::span<std::byte> into);

}  // namespace millrace
