#include <xip/base/crc.h>

#include <algorithm>
#include <array>
#include <climits>

#include <isa-l/crc.h>

namespace xip {
namespace {

// What eight shifts do to each byte: 0x8005 reflected is 0xA001.
constexpr std::array<std::uint16_t, 256> crc16_of_byte = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    unsigned rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest & 1) != 0 ? (rest >> 1) ^ 0xA001 : rest >> 1;
    table[byte] = static_cast<std::uint16_t>(rest);
  }
  return table;
}();

// ISA-L returns with the upper halves of the vector registers in use. Code of ours that uses the lower halves the old way, as the compiler writes it for any
// x86-64, would have them saved and restored by the processor, at some hundred cycles a time, until somebody clears them.
void clear_upper_halves() noexcept {
#if defined(__x86_64__) && !defined(__AVX__)
  if (__builtin_cpu_supports("avx")) asm volatile("vzeroupper");
#endif
}

}  // namespace

std::uint32_t crc32c(std::uint32_t seed, std::span<const std::byte> data) noexcept {
  while (!data.empty()) {
    const std::size_t n = std::min<std::size_t>(data.size(), INT_MAX);
    // ISA-L only reads the bytes; its parameter is not const.
    auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
    seed = ::crc32_iscsi(bytes, static_cast<int>(n), seed);
    data = data.subspan(n);
  }
  clear_upper_halves();
  return seed;
}

std::uint16_t crc16(std::uint16_t seed, std::span<const std::byte> data) noexcept {
  for (const std::byte b : data)
    seed = static_cast<std::uint16_t>((seed >> 8) ^ crc16_of_byte[(seed ^ std::to_integer<unsigned>(b)) & 0xFF]);
  return seed;
}

}  // namespace xip
