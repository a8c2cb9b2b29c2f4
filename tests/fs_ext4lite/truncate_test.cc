// Truncating: what is left, what is freed, and what the next mount finishes.
#include "fs_ext4lite/orphans.h"
#include "fs_ext4lite/tree_file.h"

namespace xip::ext4lite {
namespace {

using namespace test;

struct truncated_file : testing::TestWithParam<std::string_view> {};

TEST_P(truncated_file, keeps_its_beginning_and_reads_zeros_after_growth) {
  const image disk = make_image(GetParam(), "16M");
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  const std::string text = pattern(300'000);
  write_file(fs.task(), "/f", text);
  for (loff_t size : {299'999, 262'144, 100'001, 4096, 4095, 10, 0}) {
    ASSERT_TRUE(fs.task().truncate("/f", size).has_value());
    ASSERT_TRUE(fs.task().truncate("/f", 300'000).has_value());
    std::string expected = text.substr(0, static_cast<std::size_t>(size));
    expected.resize(300'000);
    ASSERT_TRUE(read_file(fs.task(), "/f") == expected) << size;
  }
  EXPECT_EQ(fs.task().stat("/f")->blocks, 0u);
  fs.umount_and_check(disk);
}

INSTANTIATE_TEST_SUITE_P(truncate, truncated_file, testing::Values("-b 1024", "-b 2048", "-b 4096"));

// More stretches than one handle takes out.
TEST(truncate, of_many_extents_restarts_its_handle) {
  const image disk = make_image("-b 1024", "16M");
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto& t = fs.task();
  auto fd = t.open("/f", O_RDWR | O_CREAT, 0644);
  ASSERT_TRUE(fd.has_value());
  for (loff_t i = 0; i < 400; ++i) ASSERT_EQ(t.pwrite(*fd, "x", 1, i * 2048).value_or(0), 1u);
  struct counter final : point_sink {
    void on_point(point p, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override { handles += p == point::ext4_handle_started; }
    int inject(point, std::uint64_t, std::uint64_t) noexcept override { return 0; }
    int handles = 0;
  } sink;
  t.context.points = &sink;
  ASSERT_TRUE(t.ftruncate(*fd, 3 * 1024).has_value());
  t.context.points = nullptr;
  EXPECT_GE(sink.handles, 6);
  EXPECT_EQ(t.fstat(*fd)->blocks, 2u * 2);
  ASSERT_TRUE(t.close(*fd).has_value());
  fs.umount_and_check(disk);
}

TEST(truncate, to_the_same_size_drops_what_was_preallocated_past_it) {
  const image disk = make_image("-b 4096", "16M");
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto& t = fs.task();
  write_file(t, "/f", pattern(5000));
  auto fd = t.open("/f", O_RDWR);
  ASSERT_TRUE(fd.has_value());
  ASSERT_TRUE(t.fallocate(*fd, 1 /* keep size */, 0, 1 << 20).has_value());
  EXPECT_EQ(t.fstat(*fd)->blocks, 2048u);
  ASSERT_TRUE(t.ftruncate(*fd, 5000).has_value());
  EXPECT_EQ(t.fstat(*fd)->blocks, 16u);
  ASSERT_TRUE(t.close(*fd).has_value());
  fs.umount_and_check(disk);
}

TEST(truncate, beyond_the_largest_file_is_refused) {
  const image disk = make_image("-b 1024", "16M");
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  write_file(fs.task(), "/f", "x");
  EXPECT_EQ(fs.task().truncate("/f", loff_t{1} << 50).error(), EFBIG);
  const loff_t largest = (loff_t{0xFFFFFFFF} << 10) - 1;
  EXPECT_TRUE(fs.task().truncate("/f", largest).has_value());
  EXPECT_EQ(fs.task().stat("/f")->size, largest);
  fs.umount_and_check(disk);
}

// A crash between the handle that made the file shorter and the one that would have freed its blocks.
TEST(truncate, is_finished_by_the_next_mount) {
  const image disk = image_with_file("-b 1024 -O ^has_journal", "4M");
  {
    tree_file file{disk, 100 * 1024};
    for (std::uint32_t i = 0; i < 50; ++i) ASSERT_TRUE(file.change(2 * i, 1, map_create_written).has_value());
    {
      handle h = file.start(credits_orphan + credits_inode);
      ASSERT_TRUE(orphan_add(h, file.inode()).has_value());
      exclusive_guard guard{file.inode().i_data_sem};
      file.inode().i_disksize = 10 * 1024 + 7;
      ASSERT_TRUE(mark_inode_dirty_data(h, file.inode()).has_value());
    }
    file.commit();
    store(file.fs().device(), disk);
  }
  EXPECT_FALSE(e2fsck_clean(disk.path()));
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_EQ(fs.task().stat("/file")->blocks, (6u + 1) * 2);  // and a leaf of the tree
  fs.umount_and_check(disk);
}

// A freed block that cannot be freed leaves an error, and a file whose size moved.
TEST(truncate, of_a_file_whose_blocks_are_free_already_fails) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk, 100 * 1024};
  const auto em = file.change(0, 4, map_create_written);
  ASSERT_TRUE(em.has_value());
  {
    handle h = file.start(4);
    ASSERT_TRUE(free_blocks(h, file.inode(), em->pblk, 4, false).has_value());
  }
  vfs::iattr attr{.ia_valid = vfs::attr_size, .ia_size = 0};
  EXPECT_EQ(ext4_setattr(file.inode(), attr).error(), EUCLEAN);
  EXPECT_EQ(i_size_read(file.inode()), 0);
}

// The second block of FD, which lies in one extent, goes bad from byte 300 on.
std::uint32_t poison_second_block(vfs::task& t, int fd, dev::faulty_device& device) {
  std::vector<vfs::fiemap_extent> all;
  EXPECT_TRUE(t.fiemap(fd, 0, UINT64_MAX, all).has_value());
  EXPECT_EQ(all.size(), 1u);
  if (all.empty()) return 0;
  return device.add({.kind = dev::fault_rule::what::poison, .offset = all[0].physical + 4096 + 300, .bytes = 64});
}

void expect_unchanged(const vfs::kstat& before, const vfs::kstat& now) {
  EXPECT_EQ(now.size, before.size);
  EXPECT_EQ(now.blocks, before.blocks);
  EXPECT_EQ(now.mtime, before.mtime);
  EXPECT_EQ(now.ctime, before.ctime);
}

class truncated_over_poison : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs.ok()) << fs.failure();
    write_file(t(), "/f", text);
    fd = t().open("/f", O_RDWR).value_or(-1);
    ASSERT_GE(fd, 0);
    const vfs::timespec64 times[2] = {{.seconds = 1'000'000'000, .nanoseconds = 0}, {.seconds = 1'000'000'000, .nanoseconds = 0}};
    ASSERT_TRUE(t().futimens(fd, times).has_value());
    rule = poison_second_block(t(), fd, *device);
  }
  vfs::task& t() { return fs.task(); }
  [[nodiscard]] int truncate(loff_t size) {
    const auto done = t().ftruncate(fd, size);
    return done ? 0 : done.error().number();
  }
  void close_and_check() {
    EXPECT_TRUE(t().close(fd).has_value());
    fs.umount_and_check(*below, disk);
  }

  image disk = make_image("-b 4096", "16M");
  std::unique_ptr<dev::device> below = load(disk);
  std::unique_ptr<dev::faulty_device> device = dev::make_faulty(*below);
  mounted fs{*device, GetParam()};
  const std::string text = pattern(20'000);
  int fd = -1;
  std::uint32_t rule = 0;
};

// The tail could not be zeroed where the file is to end: it keeps its size, its blocks, and every byte, also those in front of the bad ones.
TEST_P(truncated_over_poison, within_the_bad_block_changes_nothing) {
  const vfs::kstat before = t().fstat(fd).value();
  orphan_counter orphans;
  t().context.points = &orphans;
  EXPECT_EQ(truncate(4096 + 200), EIO);
  t().context.points = nullptr;
  EXPECT_EQ(orphans.added, 1);
  EXPECT_EQ(orphans.removed, 1) << "nothing is left to be truncated";
  expect_unchanged(before, t().fstat(fd).value());
  device->remove(rule);
  EXPECT_TRUE(read_file(t(), "/f") == text);
  EXPECT_EQ(truncate(4096 + 200), 0) << "behind the repair it goes on";
  EXPECT_TRUE(read_file(t(), "/f") == text.substr(0, 4096 + 200));
  close_and_check();
}

// A block that goes, or stays whole, needs no zeros; nor do bytes in front of the new end.
TEST_P(truncated_over_poison, elsewhere_asks_nothing_of_the_bad_block) {
  EXPECT_EQ(truncate(8192), 0);
  EXPECT_EQ(truncate(4096 + 2048), 0) << "the bad bytes lie in front of the end";
  EXPECT_EQ(truncate(4096), 0);
  EXPECT_EQ(t().fstat(fd)->size, 4096);
  EXPECT_EQ(t().fstat(fd)->blocks, 8u);
  EXPECT_TRUE(read_file(t(), "/f") == text.substr(0, 4096));
  close_and_check();
}

// What was not zeroed is never shown: a file that is to grow over it does not.
TEST_P(truncated_over_poison, growth_over_the_bad_tail_changes_nothing) {
  device->remove(rule);
  ASSERT_EQ(truncate(4096 + 200), 0);
  rule = poison_second_block(t(), fd, *device);
  const vfs::kstat before = t().fstat(fd).value();
  EXPECT_EQ(truncate(20'000), EIO);
  expect_unchanged(before, t().fstat(fd).value());
  device->remove(rule);
  EXPECT_EQ(truncate(20'000), 0);
  std::string expected = text.substr(0, 4096 + 200);
  expected.resize(20'000);
  EXPECT_TRUE(read_file(t(), "/f") == expected);
  close_and_check();
}

INSTANTIATE_TEST_SUITE_P(by, truncated_over_poison, testing::Values("dax=always", "dax=never"),
                         [](const testing::TestParamInfo<const char*>& i) { return std::string{i.param}.substr(4); });

}  // namespace
}  // namespace xip::ext4lite
