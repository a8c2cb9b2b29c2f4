#include <xip/base/crc.h>

#include <algorithm>
#include <climits>

#include <boost/crc.hpp>
#include <isa-l/crc.h>

namespace xip {

std::uint32_t crc32c(std::uint32_t seed, std::span<const std::byte> data) noexcept {
  while (!data.empty()) {
    const std::size_t n = std::min<std::size_t>(data.size(), INT_MAX);
    // ISA-L only reads the bytes; its parameter is not const.
    auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
    seed = ::crc32_iscsi(bytes, static_cast<int>(n), seed);
    data = data.subspan(n);
  }
  return seed;
}

std::uint16_t crc16(std::uint16_t seed, std::span<const std::byte> data) noexcept {
  // Boost takes the remainder before reflection: turn the bits of the seed round.
  std::uint16_t turned = 0;
  for (int bit = 0; bit < 16; ++bit) turned = static_cast<std::uint16_t>(turned | ((seed >> bit & 1) << (15 - bit)));
  boost::crc_optimal<16, 0x8005, 0, 0, true, true> crc{turned};
  crc.process_bytes(data.data(), data.size());
  return crc.checksum();
}

}  // namespace xip
