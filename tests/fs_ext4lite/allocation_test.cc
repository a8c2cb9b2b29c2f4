// Memory: a read or a write takes none, through the whole path from the system call to the device.
#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include <gtest/gtest.h>

#include "fs_ext4lite/image.h"
#include "support/heap_counter.h"

namespace xip::ext4lite {
namespace {

using namespace test;
using xip::test::heap_allocations;

struct kind {
  const char* name;
  const char* mkfs;
  const char* mount;
};
void PrintTo(const kind& k, std::ostream* out) { *out << k.name; }

class read_and_write : public testing::TestWithParam<kind> {
 protected:
  static constexpr int times = 10;
  static constexpr int rounds = 5;
  static constexpr std::size_t block = 4096;

  void SetUp() override {
    ASSERT_TRUE(fs.ok()) << fs.failure();
    auto opened = fs.task().open("/f", O_RDWR | O_CREAT, 0644);
    ASSERT_TRUE(opened.has_value());
    fd = *opened;
  }
  void TearDown() override {
    EXPECT_TRUE(fs.task().close(fd).has_value());
    fs.umount_and_check(disk);
  }
  // The fewest allocations of a round of calls of ACT. The first round brings metadata in, and in any of them lockdep may learn an order (when the clock has
  // moved and a time is stored): what a call takes each time shows in all of them.
  template <class Act>
  [[nodiscard]] std::uint64_t allocations_of(Act&& act) {
    std::uint64_t fewest = ~std::uint64_t{0};
    for (int round = 0; round < rounds && fewest != 0; ++round) {
      const std::uint64_t before = heap_allocations();
      for (int n = 0; n < times; ++n) act(round * times + n);
      fewest = std::min(fewest, heap_allocations() - before);
    }
    return fewest;
  }
  void write_at(loff_t pos, std::size_t bytes) { EXPECT_EQ(fs.task().pwrite(fd, data.data(), bytes, pos).value_or(0), bytes); }
  void read_at(loff_t pos, std::size_t bytes) { EXPECT_EQ(fs.task().pread(fd, data.data(), bytes, pos).value_or(0), bytes); }

  image disk = make_image(GetParam().mkfs, "32M");
  mounted fs{disk, GetParam().mount};
  int fd = -1;
  std::vector<std::byte> data = std::vector<std::byte>(std::size_t{1} << 20, std::byte{7});
};

INSTANTIATE_TEST_SUITE_P(, read_and_write,
                         testing::Values(kind{"dax", "-b 4096", "dax=always"}, kind{"copy", "-b 4096", "dax=never"},
                                         kind{"small_blocks", "-b 1024", ""}, kind{"zeroed", "-b 4096", "dax=always,zero=alloc"}),
                         [](const auto& of) { return std::string{of.param.name}; });

TEST_P(read_and_write, take_no_memory_where_blocks_are_there) {
  write_at(0, data.size());
  EXPECT_EQ(allocations_of([&](int n) { read_at(n * loff_t{block}, block); }), 0u);
  EXPECT_EQ(allocations_of([&](int) { read_at(0, data.size()); }), 0u);
  EXPECT_EQ(allocations_of([&](int n) { write_at(n * loff_t{block}, block); }), 0u);
  EXPECT_EQ(allocations_of([&](int n) { write_at(n * loff_t{block} + 77, 100); }), 0u);
  EXPECT_EQ(allocations_of([&](int) { write_at(0, data.size()); }), 0u);
}

TEST_P(read_and_write, take_no_memory_in_holes_and_unwritten_extents) {
  ASSERT_TRUE(fs.task().fallocate(fd, 0, 0, 1 << 20).has_value());
  ASSERT_TRUE(fs.task().ftruncate(fd, 2 << 20).has_value());
  EXPECT_EQ(allocations_of([&](int n) { read_at((1 << 20) - 100 + n, 200); }), 0u);
  EXPECT_EQ(allocations_of([&](int n) { write_at(n * 2 * loff_t{block}, block); }), 0u) << "into unwritten blocks";
  EXPECT_EQ(allocations_of([&](int n) { write_at((1 << 20) + n * 2 * loff_t{block}, block); }), 0u) << "into holes";
}

TEST_P(read_and_write, take_no_memory_when_the_file_grows) {
  EXPECT_EQ(allocations_of([&](int n) { write_at(n * loff_t{block}, block); }), 0u);
  EXPECT_EQ(allocations_of([&](int n) { write_at(rounds * times * loff_t{block} + n * 100, 100); }), 0u);
}

}  // namespace
}  // namespace xip::ext4lite
