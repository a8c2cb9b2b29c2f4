#include <xip/base/crc.h>

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace xip {
namespace {

constexpr std::string_view check_text = "123456789";

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }

// The polynomial, bit by bit: what the libraries must agree with.
template <class T>
T reference(T seed, std::span<const std::byte> data, T reflected_polynomial) {
  for (const std::byte b : data) {
    seed = static_cast<T>(seed ^ static_cast<std::uint8_t>(b));
    for (int bit = 0; bit < 8; ++bit) seed = static_cast<T>((seed & 1) != 0 ? (seed >> 1) ^ reflected_polynomial : seed >> 1);
  }
  return seed;
}

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> data(size);
  std::uint32_t state = 1;
  for (std::byte& b : data) b = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return data;
}

TEST(Crc32c, KnownValueNotInverted) { EXPECT_EQ(crc32c(~0u, bytes(check_text)), ~0xE3069283u); }

TEST(Crc32c, NoDataGivesSeed) { EXPECT_EQ(crc32c(0x12345678, {}), 0x12345678u); }

TEST(Crc32c, ContinuesFromSeed) { EXPECT_EQ(crc32c(crc32c(~0u, bytes("1234")), bytes("56789")), crc32c(~0u, bytes(check_text))); }

TEST(Crc32c, AgreesWithPolynomialAtEveryLengthAndAlignment) {
  const auto data = pattern(300);
  for (std::size_t start = 0; start < 9; ++start)
    for (std::size_t size = 0; size < 280; size += 7) {
      const auto part = std::span{data}.subspan(start, size);
      ASSERT_EQ(crc32c(0xdeadbeef, part), reference<std::uint32_t>(0xdeadbeef, part, 0x82F63B78)) << start << "+" << size;
    }
}

TEST(Crc16, KnownValue) {
  EXPECT_EQ(crc16(0, bytes(check_text)), 0xBB3D);       // CRC-16/ARC
  EXPECT_EQ(crc16(0xFFFF, bytes(check_text)), 0x4B37);  // CRC-16/MODBUS
}

TEST(Crc16, ContinuesFromSeed) {
  EXPECT_EQ(crc16(crc16(0xFFFF, bytes("12")), bytes("3456789")), crc16(0xFFFF, bytes(check_text)));
  EXPECT_EQ(crc16(0x1234, {}), 0x1234);
}

TEST(Crc16, AgreesWithPolynomial) {
  const auto data = pattern(64);
  for (std::size_t size = 0; size <= data.size(); ++size) {
    const auto part = std::span{data}.first(size);
    ASSERT_EQ(crc16(0x8F13, part), reference<std::uint16_t>(0x8F13, part, 0xA001)) << size;
  }
}

}  // namespace
}  // namespace xip
