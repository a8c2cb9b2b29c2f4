// Areas of attributes as bytes: what is laid out is read back, and whatever else is there reaches nothing outside.
#include <random>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fs_ext4lite/dir_block.h"
#include "fs_ext4lite/xattr_area.h"

namespace xip::ext4lite::test {
namespace {

using bytes = std::vector<std::byte>;
std::pmr::memory_resource& memory = *std::pmr::new_delete_resource();

// An area of SIZE bytes whose first entry has a name of LENGTH letters.
[[nodiscard]] bytes area_of_one(std::size_t size, std::uint8_t length) {
  bytes area(size, std::byte{'n'});
  ext4_xattr_entry entry{};
  entry.e_name_len = length;
  entry.e_name_index = 1;
  std::memcpy(area.data(), &entry, std::min(size, sizeof entry));
  return area;
}
[[nodiscard]] std::string fault_of(const bytes& area) {
  const auto read = read_xattrs({area, 0}, memory);
  return read ? "" : read.error();
}

TEST(xattr_area, entries_must_end_within_it) {
  EXPECT_EQ(fault_of(bytes(4)), "");
  EXPECT_EQ(fault_of(bytes(3)), "its entries run out of it at offset 0");
  EXPECT_EQ(fault_of(area_of_one(8, 4)), "the entry at offset 0 runs out of it");
  EXPECT_EQ(fault_of(area_of_one(20, 4)), "the name at offset 0 runs out of it");
  EXPECT_EQ(fault_of(area_of_one(24, 8)), "the name at offset 0 runs out of it");
  EXPECT_EQ(fault_of(area_of_one(30, 4)), "the entry at offset 20 runs out of it");
  bytes ended = area_of_one(24, 4);
  store_at(std::span{ended}, 20, le32{0});
  EXPECT_EQ(fault_of(ended), "");
}

TEST(xattr_area, is_read_as_it_was_laid_out) {
  const std::string long_value(33, 'v');
  const xattr_views items{
      {1, "a", std::as_bytes(std::span{long_value})}, {6, "capability", {}}, {2, "", std::as_bytes(std::span{long_value}.first(4))}};
  std::size_t need = 8 + 4;
  for (const xattr_view& i : items) need += xattr_entry_bytes(i.name.size()) + xattr_value_bytes(i.value.size());
  EXPECT_FALSE(xattrs_fit(need - 1, 8, items));
  ASSERT_TRUE(xattrs_fit(need, 8, items));
  bytes area(need, std::byte{0xEE});
  lay_out_xattrs(area, 8, items);
  const auto read = read_xattrs({area, 8}, memory);
  ASSERT_TRUE(read) << read.error();
  EXPECT_TRUE(same_xattrs(*read, items));
  EXPECT_EQ(area[7], std::byte{0xEE});
}

TEST(xattr_area, of_any_bytes_is_read_or_refused) {
  std::mt19937 random{1};
  const auto below = [&random](unsigned n) { return std::uniform_int_distribution<unsigned>{0, n - 1}(random); };
  const std::string value(300, 'v');
  unsigned refused = 0;
  for (int i = 0; i < 20000; ++i) {
    const xattr_views items{{1, "a", std::as_bytes(std::span{value}.first(below(60)))},
                            {6, "capability", std::as_bytes(std::span{value}.first(20))}};
    bytes area(200);
    lay_out_xattrs(area, 0, items);
    for (unsigned n = 1 + below(3); n-- > 0;) area[below(60)] = static_cast<std::byte>(below(256));
    area.shrink_to_fit();
    const auto read = read_xattrs({area, 0}, memory);
    if (!read) {
      ++refused;
      continue;
    }
    for (const xattr_view& v : *read) (void)xattr_entry_hash(v, name_chars::signed_);
  }
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace xip::ext4lite::test
