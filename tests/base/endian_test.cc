#include <xip/base/endian.h>

#include <array>

#include <gtest/gtest.h>

namespace xip {
namespace {

TEST(OnDisk, LittleEndianBytes) {
  const le32 value{0x11223344};
  EXPECT_EQ((std::bit_cast<std::array<std::uint8_t, 4>>(value)), (std::array<std::uint8_t, 4>{0x44, 0x33, 0x22, 0x11}));
  EXPECT_EQ(value, 0x11223344u);
}

TEST(OnDisk, BigEndianBytes) {
  be16 value;
  value = 0x1122;
  EXPECT_EQ((std::bit_cast<std::array<std::uint8_t, 2>>(value)), (std::array<std::uint8_t, 2>{0x11, 0x22}));
  EXPECT_EQ(be64{0x1122334455667788}.load(), 0x1122334455667788u);
}

TEST(OnDisk, DefaultIsZero) { EXPECT_EQ(le64{}, 0u); }

TEST(OnDisk, StructHasNoPadding) {
  struct record {
    le16 a;
    le64 b;
    le32 c;
  };
  EXPECT_EQ(sizeof(record), 14u);
}

}  // namespace
}  // namespace xip
