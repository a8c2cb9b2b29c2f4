// Truncating: what is left, what is freed, and what the next mount finishes.
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

}  // namespace
}  // namespace xip::ext4lite
