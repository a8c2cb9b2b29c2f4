// fallocate in all its modes but plain allocation: holes, zeros, ranges that go and ranges that come.
#include <cerrno>
#include <chrono>
#include <map>
#include <random>
#include <utility>

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <xip/locks/clock.h>

#include "fs_ext4lite/journal.h"
#include "fs_ext4lite/open_file.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite {
namespace {

using namespace test;

constexpr int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
constexpr int zero = FALLOC_FL_ZERO_RANGE;
constexpr int zero_inside = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
constexpr int collapse = FALLOC_FL_COLLAPSE_RANGE;
constexpr int insert = FALLOC_FL_INSERT_RANGE;

struct kind {
  const char* name;
  const char* mkfs;
  const char* mount;
};
void PrintTo(const kind& k, std::ostream* out) { *out << k.name; }
const kind with_trees[] = {
    {"dax", "-b 4096 -N 64", "dax=always"}, {"requests", "-b 4096 -N 64", "dax=never"}, {"small_blocks", "-b 1024 -N 64", "dax=never"}};
const kind with_maps[] = {{"block_maps", "-b 1024 -N 64 -O ^extent,^64bit", "dax=never"},
                          {"large_block_maps", "-b 4096 -N 64 -O ^extent,^64bit", "dax=always"}};
[[nodiscard]] std::string name_of(const testing::TestParamInfo<kind>& each) { return each.param.name; }

class range_file : public testing::TestWithParam<kind> {
 protected:
  [[nodiscard]] int change(int mode, loff_t offset, loff_t length) { return errno_of(f.t().fallocate(f.fd, mode, offset, length)); }
  [[nodiscard]] std::string all() { return f.get(std::size_t{1} << 26, 0); }
  [[nodiscard]] loff_t block() { return f.t().fstat(f.fd)->blksize; }
  [[nodiscard]] loff_t data_blocks() { return static_cast<loff_t>(f.t().fstat(f.fd)->blocks) * 512 / block(); }
  [[nodiscard]] loff_t seek(loff_t from, int whence) { return f.t().lseek(f.fd, from, whence).value_or(-1); }
  void check() { f.close_and_check(disk); }

  image disk = make_image(GetParam().mkfs, "16M");
  open_file f{disk, GetParam().mount};
};

class trees : public range_file {};
class trees_and_maps : public range_file {};
INSTANTIATE_TEST_SUITE_P(range, trees, testing::ValuesIn(with_trees), name_of);
INSTANTIATE_TEST_SUITE_P(range, trees_and_maps, testing::ValuesIn(with_trees), name_of);
INSTANTIATE_TEST_SUITE_P(range_of, trees_and_maps, testing::ValuesIn(with_maps), name_of);

[[nodiscard]] std::string with_zeros(std::string text, std::size_t offset, std::size_t length) {
  return text.replace(offset, length, std::string(length, '\0'));
}

// ---- punch

TEST_P(trees_and_maps, a_hole_reads_zeros_and_its_whole_blocks_are_free) {
  const std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t before = data_blocks();
  ASSERT_EQ(change(punch, 5000, 50'000), 0);
  EXPECT_TRUE(all() == with_zeros(text, 5000, 50'000));
  EXPECT_EQ(f.size(), 100'000);
  const loff_t first = (5000 + block() - 1) / block(), end = 55'000 / block();
  EXPECT_EQ(data_blocks(), before - (end - first));
  EXPECT_EQ(seek(0, SEEK_HOLE), first * block());
  EXPECT_EQ(seek(first * block(), SEEK_DATA), end * block());
  const auto map = f.map();
  ASSERT_GE(map.size(), 2u);
  EXPECT_EQ(static_cast<loff_t>(map[0].length), first * block());
  EXPECT_EQ(map[1].logical, end * block());
  check();
}

TEST_P(trees_and_maps, a_hole_within_a_block_zeroes_it_where_it_lies) {
  const std::string text = pattern(20'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t before = data_blocks();
  ASSERT_EQ(change(punch, 8200, 100), 0);
  ASSERT_EQ(change(punch, 12'280, 16), 0) << "across the border of two";
  EXPECT_TRUE(all() == with_zeros(with_zeros(text, 8200, 100), 12'280, 16));
  EXPECT_EQ(data_blocks(), before);
  check();
}

TEST_P(trees_and_maps, a_hole_to_the_end_takes_the_last_block) {
  const std::string text = pattern(50'001);
  ASSERT_EQ(f.put(text, 0), text.size());
  ASSERT_EQ(change(punch, 8192, 50'001 - 8192), 0);
  EXPECT_EQ(data_blocks(), 8192 / block());
  EXPECT_TRUE(all() == with_zeros(text, 8192, 50'001 - 8192));
  ASSERT_EQ(change(punch, 4096, 1 << 30), 0);
  EXPECT_EQ(data_blocks(), 4096 / block());
  ASSERT_EQ(change(punch, 0, 1 << 30), 0);
  EXPECT_EQ(data_blocks(), 0);
  EXPECT_TRUE(all() == std::string(50'001, '\0'));
  EXPECT_TRUE(f.map().empty());
  check();
}

TEST_P(trees_and_maps, a_hole_past_the_end_is_none) {
  const std::string text = pattern(5000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t before = data_blocks();
  ASSERT_EQ(change(punch, 5000, 4096), 0);
  ASSERT_EQ(change(punch, 100'000, 1), 0);
  EXPECT_TRUE(all() == text);
  EXPECT_EQ(data_blocks(), before);
  check();
}

TEST_P(trees_and_maps, what_is_punched_can_be_written_again) {
  const std::string text = pattern(200'000), other = pattern(200'000, 2);
  ASSERT_EQ(f.put(text, 0), text.size());
  for (const loff_t at : {12'288, 16'384, 100'000}) ASSERT_EQ(change(punch, at, 30'000), 0);
  for (const loff_t at : {13'000, 120'000}) ASSERT_EQ(f.put(other.substr(static_cast<std::size_t>(at), 9000), at), 9000u);
  std::string expected = text;
  for (const std::size_t at : {12'288, 16'384, 100'000}) expected = with_zeros(expected, at, 30'000);
  for (const std::size_t at : {13'000, 120'000}) expected.replace(at, 9000, other, at, 9000);
  EXPECT_TRUE(all() == expected);
  check();
}

// Indirect blocks go with the last block that they name.
TEST_P(trees_and_maps, blocks_far_apart_are_punched_one_by_one) {
  std::map<loff_t, bool> there;
  for (const loff_t at : {0, 5 << 10, 16 << 10, 200 << 10, 300 << 10, 5 << 20, 60 << 20}) {
    ASSERT_EQ(f.put("there", at), 5u);
    there[at] = true;
  }
  ASSERT_EQ(f.put("end", loff_t{9} << 28), 3u);
  std::mt19937 random{1};
  const loff_t before = data_blocks();
  for (loff_t left = static_cast<loff_t>(there.size()); left != 0; --left) {
    auto at = std::next(there.begin(), static_cast<std::ptrdiff_t>(random() % there.size()));
    while (!at->second) at = std::next(at) == there.end() ? there.begin() : std::next(at);
    ASSERT_EQ(change(punch, at->first & -block(), block()), 0);
    const loff_t same_block = at->first & -block();
    for (auto& [other, is_there] : there)
      if ((other & -block()) == same_block) is_there = false;
    left = 1 + std::ranges::count_if(there, [](const auto& each) { return each.second; });
    for (const auto& [other, is_there] : there) ASSERT_EQ(f.get(5, other), is_there ? "there" : std::string(5, '\0')) << other;
  }
  EXPECT_LT(data_blocks(), before);
  ASSERT_EQ(change(punch, 0, loff_t{1} << 32), 0);
  EXPECT_EQ(data_blocks(), 0) << "no block of the tree or map is left without data";
  check();
}

TEST_P(trees, punching_does_not_touch_what_is_unwritten_at_its_edges) {
  ASSERT_EQ(errno_of(f.t().fallocate(f.fd, 0, 0, 65'536)), 0);
  ASSERT_EQ(change(punch, 100, 40'000), 0);
  EXPECT_EQ(all(), std::string(65'536, '\0'));
  for (const auto& e : f.map()) EXPECT_NE(e.flags & FIEMAP_EXTENT_UNWRITTEN, 0u);
  EXPECT_EQ(seek(0, SEEK_DATA), -1);
  check();
}

// An extent that is cut in two may need a block for the tree.
TEST_P(trees, a_full_disk_can_be_punched) {
  const std::string text = pattern(8 << 20);
  ASSERT_EQ(f.put(text, 0), text.size());
  std::vector<std::string> fillers;
  for (int i = 0; i < 12; ++i) {
    const auto fd = f.t().open(fmt::format("/filler-{}", i), O_CREAT | O_WRONLY, 0644);
    ASSERT_TRUE(fd.has_value());
    for (const std::size_t piece : {std::size_t{1} << 20, std::size_t{65'536}, std::size_t{1024}})
      while (f.t().write(*fd, text.data(), piece).value_or(0) == piece) {
      }
    ASSERT_TRUE(f.t().close(*fd).has_value());
  }
  std::string expected = text;
  for (std::size_t at = 4096; at < text.size(); at += 16'384) {
    ASSERT_EQ(change(punch, static_cast<loff_t>(at), 4096), 0) << at;
    expected = std::move(expected).replace(at, 4096, 4096, '\0');
  }
  EXPECT_TRUE(all() == expected);
  check();
}

// Blocks that were freed can be had when their transaction is durable: who needs one for the tree waits for that.
TEST_P(trees, a_collapse_waits_for_blocks_that_are_freed) {
  struct no_space_once final : point_sink {
    void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
    int inject(point p, std::uint64_t, std::uint64_t) noexcept override {
      return p == point::ext4_alloc_blocks && std::exchange(armed, false) ? ENOSPC : 0;
    }
    bool armed = true;
  } sink;
  const std::string text = pattern(40'960);
  ASSERT_EQ(f.put(text, 0), text.size());
  for (const loff_t at : {1 << 20, 2 << 20, 3 << 20}) ASSERT_EQ(f.put("x", at), 1u);  // the root is full
  const int other = f.t().open("/other", O_RDWR | O_CREAT, 0644).value_or(-1);
  ASSERT_TRUE(f.t().pwrite(other, text.data(), text.size(), 0).has_value());
  ASSERT_TRUE(f.t().fsync(other).has_value());
  ASSERT_TRUE(f.t().ftruncate(other, 0).has_value());
  ASSERT_TRUE(f.t().close(other).has_value());
  f.t().context.points = &sink;
  EXPECT_EQ(change(collapse, 8192, 8192), 0);
  f.t().context.points = nullptr;
  EXPECT_FALSE(sink.armed);
  EXPECT_TRUE(f.get(32'768, 0) == std::string{text}.erase(8192, 8192));
  check();
}

// ---- zero range

TEST_P(trees, zeroed_blocks_are_unwritten_and_edges_are_zeroed) {
  const std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t before = data_blocks();
  ASSERT_EQ(change(zero, 5000, 50'000), 0);
  EXPECT_TRUE(all() == with_zeros(text, 5000, 50'000));
  EXPECT_EQ(f.size(), 100'000);
  EXPECT_EQ(data_blocks(), before);
  const loff_t first = (5000 + block() - 1) & -block(), end = 55'000 & -block();
  const auto map = f.map();
  ASSERT_EQ(map.size(), 3u);
  EXPECT_EQ(static_cast<loff_t>(map[0].length), first);
  EXPECT_EQ(map[1].logical, first);
  EXPECT_EQ(static_cast<loff_t>(map[1].length), end - first);
  EXPECT_EQ(map[1].flags, FIEMAP_EXTENT_UNWRITTEN);
  EXPECT_EQ(map[2].flags & FIEMAP_EXTENT_UNWRITTEN, 0u);
  EXPECT_EQ(seek(0, SEEK_HOLE), first);
  EXPECT_EQ(seek(first, SEEK_DATA), end);
  check();
}

TEST_P(trees, zeroing_allocates_holes_and_moves_the_size_unless_told_not_to) {
  ASSERT_EQ(f.put("head", 0), 4u);
  ASSERT_EQ(change(zero_inside, 2, 100'000), 0);
  EXPECT_EQ(f.size(), 4);
  EXPECT_EQ(f.get(10, 0), std::string("he\0\0", 4));
  const loff_t blocks = (100'002 + block() - 1) / block();
  EXPECT_EQ(data_blocks(), blocks);
  ASSERT_EQ(change(zero, 50'000, 50'001), 0);
  EXPECT_EQ(f.size(), 100'001);
  EXPECT_EQ(data_blocks(), blocks);
  EXPECT_TRUE(all() == "he" + std::string(99'999, '\0'));
  ASSERT_EQ(change(zero, 200'000, 1), 0);
  EXPECT_EQ(f.size(), 200'001);
  EXPECT_EQ(data_blocks(), blocks + 1);
  check();
}

TEST_P(trees, a_zeroed_range_of_one_kind_is_one_extent_again_when_written) {
  const std::string text = pattern(1 << 20);
  ASSERT_EQ(f.put(text, 0), text.size());
  ASSERT_EQ(f.map().size(), 1u);
  for (loff_t at = 65'536; at < (1 << 20) - 65'536; at += 65'536) ASSERT_EQ(change(zero, at, 65'536), 0);
  EXPECT_EQ(f.map().size(), 3u);
  EXPECT_TRUE(all() == with_zeros(text, 65'536, (1 << 20) - 2 * 65'536));
  ASSERT_EQ(f.put(text, 0), text.size());
  EXPECT_EQ(f.map().size(), 1u);
  EXPECT_TRUE(all() == text);
  check();
}

TEST_P(trees, bytes_past_the_old_end_read_zeros_after_a_growing_zero_range) {
  ASSERT_EQ(f.put(std::string(5000, 'x'), 0), 5000u);
  check();
  debugfs(disk.path(), "set_inode_field f size 100", true);
  debugfs(disk.path(), "punch f 1 1000", true);
  open_file again{disk, GetParam().mount};
  ASSERT_EQ(errno_of(again.t().fallocate(again.fd, zero, 300, 500)), 0);
  EXPECT_EQ(again.get(1000, 0), std::string(100, 'x') + std::string(700, '\0'));
  again.close_and_check(disk);
}

// ---- collapse and insert

TEST_P(trees, a_collapsed_range_is_gone) {
  const std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t before = data_blocks();
  ASSERT_EQ(change(collapse, 8192, 40'960), 0);
  EXPECT_TRUE(all() == std::string{text}.erase(8192, 40'960));
  EXPECT_EQ(f.size(), 100'000 - 40'960);
  EXPECT_EQ(data_blocks(), before - 40'960 / block());
  ASSERT_EQ(change(collapse, 0, 8192), 0);
  EXPECT_TRUE(all() == std::string{text}.erase(0, 8192 + 40'960));
  check();
}

TEST_P(trees, an_inserted_range_is_a_hole) {
  const std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t before = data_blocks();
  ASSERT_EQ(change(insert, 8192, 40'960), 0);
  std::string expected = text;
  expected.insert(8192, 40'960, '\0');
  EXPECT_TRUE(all() == expected);
  EXPECT_EQ(f.size(), 100'000 + 40'960);
  EXPECT_EQ(data_blocks(), before);
  EXPECT_EQ(seek(0, SEEK_HOLE), 8192);
  EXPECT_EQ(seek(8192, SEEK_DATA), 8192 + 40'960);
  ASSERT_EQ(change(insert, 0, 4096), 0);
  EXPECT_TRUE(all() == std::string(4096, '\0') + expected);
  check();
}

TEST_P(trees, what_was_inserted_can_be_collapsed_to_one_extent) {
  const std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  ASSERT_EQ(change(insert, 8192, 40'960), 0);
  EXPECT_EQ(f.map().size(), 2u);
  ASSERT_EQ(change(collapse, 8192, 40'960), 0);
  EXPECT_EQ(f.map().size(), 1u);
  EXPECT_TRUE(all() == text);
  check();
}

TEST_P(trees, preallocation_past_the_end_moves_along) {
  ASSERT_EQ(f.put(pattern(20'000), 0), 20'000u);
  ASSERT_EQ(errno_of(f.t().fallocate(f.fd, FALLOC_FL_KEEP_SIZE, 0, 200'704)), 0);
  const loff_t before = data_blocks();
  ASSERT_EQ(change(insert, 4096, 8192), 0);
  EXPECT_EQ(data_blocks(), before);
  ASSERT_EQ(change(collapse, 0, 4096), 0);
  EXPECT_EQ(data_blocks(), before - 4096 / block());
  EXPECT_TRUE(all() == std::string(8192, '\0') + pattern(20'000).substr(4096));
  const auto map = f.map();
  EXPECT_EQ(map.back().logical + static_cast<loff_t>(map.back().length), 200'704 + 8192 - 4096);
  check();
}

// The last block that a tree can name is where it ends.
TEST_P(trees, an_insertion_that_would_move_blocks_too_far_is_refused) {
  const std::string text = pattern(20'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t most = (loff_t{1} << 32) * block() - block();
  ASSERT_EQ(errno_of(f.t().fallocate(f.fd, FALLOC_FL_KEEP_SIZE, most - 2 * block(), block())), 0);
  EXPECT_EQ(change(insert, 4096, 4096), block() == 1024 ? EINVAL : 0);
  ASSERT_TRUE(f.t().fchmod(f.fd, 06777).has_value());
  const vfs::cred root = std::exchange(f.t().who, {.uid = 1000, .real_uid = 1000});
  EXPECT_EQ(change(insert, 4096, 8192), EINVAL);
  f.t().who = root;
  EXPECT_EQ(f.t().fstat(f.fd)->mode & 07777u, 06777u) << "who is refused has changed nothing";
  EXPECT_EQ(f.size(), block() == 1024 ? 20'000 : 24'096);
  check();
}

// ---- errors

TEST_P(trees, refuse_what_linux_refuses) {
  const std::string text = pattern(65'536);
  ASSERT_EQ(f.put(text, 0), text.size());
  const loff_t most = (loff_t{1} << 32) * block() - block();
  struct {
    int mode;
    loff_t offset, length;
    int answer;
  } const table[] = {
      {collapse, 100, block(), EINVAL},
      {collapse, 0, 100, EINVAL},
      {collapse, 65'536 - block(), block(), EINVAL},
      {collapse, 0, 65'536, EINVAL},
      {collapse, 65'536, block(), EINVAL},
      {collapse, 0, 1 << 20, EINVAL},
      {insert, 100, block(), EINVAL},
      {insert, 0, 100, EINVAL},
      {insert, 65'536, block(), EINVAL},
      {insert, 131'072, block(), EINVAL},
      {insert, block(), most - 65'536 + block(), EFBIG},
      {insert, 65'536, most, EFBIG},
      {FALLOC_FL_PUNCH_HOLE, 0, block(), EOPNOTSUPP},
      {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, block(), EOPNOTSUPP},
      {FALLOC_FL_UNSHARE_RANGE, 0, block(), EOPNOTSUPP},
      {FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, 0, block(), EOPNOTSUPP},
      {FALLOC_FL_NO_HIDE_STALE, 0, block(), EOPNOTSUPP},
      {punch, -1, 10, EINVAL},
      {punch, 0, 0, EINVAL},
      {zero, 0, -1, EINVAL},
      {punch, INT64_MAX - 5, 10, EFBIG},
      {zero, most, block(), EFBIG},
  };
  for (const auto& row : table) EXPECT_EQ(change(row.mode, row.offset, row.length), row.answer) << row.mode << ' ' << row.offset;
  EXPECT_EQ(f.size(), 65'536);
  EXPECT_TRUE(all() == text);
  check();
}

TEST_P(trees, only_holes_can_be_made_in_block_maps) {
  const image maps = make_image("-b 1024 -O ^extent,^64bit", "8M");
  open_file old{maps, ""};
  const std::string text = pattern(65'536);
  ASSERT_EQ(old.put(text, 0), text.size());
  for (const int mode : {zero, zero_inside, collapse, insert, 0, FALLOC_FL_KEEP_SIZE})
    EXPECT_EQ(errno_of(old.t().fallocate(old.fd, mode, 1, 1)), EOPNOTSUPP) << mode;
  EXPECT_TRUE(old.get(100'000, 0) == text);
  old.close_and_check(maps);
}

TEST_P(trees, descriptors_and_flags_are_looked_at_first) {
  ASSERT_EQ(f.put(pattern(65'536), 0), 65'536u);
  const int reader = f.t().open("/f", O_RDONLY).value_or(-1);
  for (const int mode : {punch, zero, collapse, insert}) EXPECT_EQ(errno_of(f.t().fallocate(reader, mode, 0, 4096)), EBADF);
  EXPECT_EQ(errno_of(f.t().fallocate(-1, punch, 0, 4096)), EBADF);
  ASSERT_TRUE(f.t().close(reader).has_value());
  check();
}

TEST_P(trees, the_limit_of_file_sizes_holds_for_zero_range) {
  ASSERT_EQ(f.put("x", 0), 1u);
  f.t().limits.fsize = 50'000;
  EXPECT_EQ(change(zero, 0, 50'001), EFBIG);
  EXPECT_EQ(change(zero_inside, 0, 50'001), 0);
  EXPECT_EQ(change(zero, 0, 50'000), 0);
  EXPECT_EQ(f.size(), 50'000);
  check();
}

// ---- durability

// Bytes written over others in place need no commit. They are not to be found where those had been when what was moved has come back.
TEST_P(trees, what_is_written_after_a_move_does_not_destroy_what_was_synced_before) {
  const auto written_and_crashed = [&](loff_t at) {
    EXPECT_EQ(f.put("new", at), 3u);
    store(f.fs.device(), disk);
    mounted again{disk};
    EXPECT_TRUE(again.ok()) << again.failure();
    return read_file(again.task(), "/f");
  };
  std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  ASSERT_TRUE(f.t().fsync(f.fd).has_value());
  ASSERT_EQ(change(collapse, 8192, 8192), 0);
  text.erase(8192, 8192).replace(8192, 3, "new");
  EXPECT_TRUE(written_and_crashed(8192) == text);
  ASSERT_EQ(change(insert, 4096, 4096), 0);
  text.insert(4096, 4096, '\0').replace(12'288, 3, "new");
  EXPECT_TRUE(written_and_crashed(12'288) == text);
  check();
}

// Whether a hole within a block asks for a flush of the device, when no time of the file has changed either: it changes nothing but the block then.
[[nodiscard]] bool flushes_without_a_change(const image& disk, const char* mount, int flags) {
  for (;;) {
    const auto below = load(disk);
    const auto device = dev::make_faulty(*below);
    mounted fs{*device, mount};
    EXPECT_TRUE(fs.ok()) << fs.failure();
    vfs::task& t = fs.task();
    const int fd = t.open("/f", O_RDWR | flags, 0644).value_or(-1);
    const std::chrono::nanoseconds start = realtime_now_coarse();
    EXPECT_TRUE(t.fallocate(fd, punch, 10, 5).has_value());
    (void)device->add({.kind = dev::fault_rule::what::eio_flush});
    const int answer = errno_of(t.fallocate(fd, punch, 100, 5));
    const bool one_tick = realtime_now_coarse() == start;
    (void)t.close(fd);
    (void)fs.umount();
    if (one_tick) return answer == EIO;
  }
}

TEST_P(trees_and_maps, what_is_zeroed_in_place_is_flushed_if_the_file_is_synchronous) {
  const std::string text = pattern(20'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  check();
  EXPECT_TRUE(flushes_without_a_change(disk, GetParam().mount, O_SYNC));
  EXPECT_TRUE(flushes_without_a_change(disk, GetParam().mount, O_DSYNC));
  EXPECT_FALSE(flushes_without_a_change(disk, GetParam().mount, 0));
}

TEST_P(trees, a_change_through_a_synchronous_descriptor_is_on_the_medium) {
  const std::string text = pattern(100'000);
  ASSERT_EQ(f.put(text, 0), text.size());
  ASSERT_TRUE(f.t().close(f.fd).has_value());
  f.fd = f.t().open("/f", O_RDWR | O_SYNC).value_or(-1);
  std::string expected = text;
  const auto is_on_the_medium = [&] {
    store(f.fs.device(), disk);
    mounted again{disk};
    ASSERT_TRUE(again.ok()) << again.failure();
    EXPECT_TRUE(read_file(again.task(), "/f") == expected);
  };
  ASSERT_EQ(change(punch, 8192, 8192), 0);
  expected = with_zeros(expected, 8192, 8192);
  is_on_the_medium();
  ASSERT_EQ(change(zero, 90'000, 20'000), 0);
  expected = with_zeros(expected, 90'000, 10'000) + std::string(10'000, '\0');
  is_on_the_medium();
  ASSERT_EQ(change(collapse, 4096, 8192), 0);
  expected.erase(4096, 8192);
  is_on_the_medium();
  ASSERT_EQ(change(insert, 4096, 4096), 0);
  expected.insert(4096, 4096, '\0');
  is_on_the_medium();
  check();
}

}  // namespace
}  // namespace xip::ext4lite
