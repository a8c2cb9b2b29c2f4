// map_blocks: what it answers, when it runs out of space, and files of ext2 and ext3.
#include <cerrno>
#include <cstdio>
#include <fstream>

#include <linux/fiemap.h>

#include "fs_ext4lite/indirect.h"
#include "fs_ext4lite/tree.h"
#include "fs_ext4lite/tree_file.h"

namespace xip::ext4lite {
namespace {

using namespace test;

// Fails allocations: the first SKIP succeed.
class no_space_after final : public point_sink {
 public:
  explicit no_space_after(unsigned skip) : skip_{skip}, previous_{std::exchange(current_point_sink, this)} {}
  ~no_space_after() { current_point_sink = previous_; }
  void on_point(point, std::uint64_t, std::uint64_t, std::uint64_t) noexcept override {}
  int inject(point p, std::uint64_t, std::uint64_t) noexcept override {
    if (p != point::ext4_alloc_blocks) return 0;
    return skip_ != 0 && skip_-- != 0 ? 0 : ENOSPC;
  }

 private:
  unsigned skip_;
  point_sink* previous_;
};

std::string device_bytes(tree_file& file, std::uint64_t offset, std::size_t count) {
  std::string text(count, '\0');
  EXPECT_TRUE(file.fs().device().read(offset, std::as_writable_bytes(std::span{text})).has_value());
  return text;
}

TEST(map_blocks, cuts_an_answer_to_what_was_asked) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  const auto made = file.change(10, 20, map_create_written);
  ASSERT_TRUE(made.has_value());
  for (int twice = 0; twice < 2; ++twice) {
    const auto em = file.look(12, 5);
    ASSERT_TRUE(em.has_value());
    EXPECT_EQ(em->lblk, lblk_t{12});
    EXPECT_EQ(em->len, 5u);
    EXPECT_EQ(em->pblk, made->pblk + 2);
    const auto hole = file.look(3, 4);
    ASSERT_TRUE(hole.has_value());
    EXPECT_EQ(hole->len, 4u);
    EXPECT_EQ(hole->type, extent_type::hole);
    file.inode().i_es.clear();
  }
}

TEST(map_blocks, refuses_the_block_that_no_file_has) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  EXPECT_EQ(file.look(UINT32_MAX, 1).error(), EFBIG);
  EXPECT_EQ(file.change(UINT32_MAX, 1, map_create_written).error(), EFBIG);
  EXPECT_EQ(file.change(UINT32_MAX - 1, 10, map_create_unwritten)->len, 1u);
}

TEST(map_blocks, says_new_once_and_dirty_until_the_commit) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  const auto made = file.change(0, 4, map_create_unwritten);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->flags, em_new | em_dirty);
  EXPECT_EQ(file.change(0, 4, map_create_unwritten)->flags, em_dirty);
  file.commit();
  EXPECT_EQ(file.look(0, 4)->flags, 0);
}

TEST(map_blocks, a_file_goes_on_beside_its_last_block) {
  const image disk = image_with_file("-b 1024", "8M");
  tree_file file{disk};
  const auto first = file.change(0, 8, map_create_written);
  const auto second = file.change(8, 8, map_create_unwritten);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(second->pblk, first->pblk + 8);
}

// The root has four extents, so that cutting one needs a block for the tree.
void fill_root(tree_file& file) {
  ASSERT_EQ(file.change(0, 16, map_create_unwritten)->len, 16u);
  for (std::uint32_t i = 1; i <= 3; ++i) ASSERT_TRUE(file.change(100 * i, 1, map_create_written).has_value());
  ASSERT_EQ(file.root_entries(), 4u);
}

TEST(map_blocks, conversion_without_a_block_for_the_tree_zeroes_the_surroundings) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  fill_root(file);
  const std::uint64_t at = bytes_of(file.look(0, 16)->pblk, 10);
  const std::string old(16 << 10, 'x');
  ASSERT_TRUE(file.fs().device().write(at, std::as_bytes(std::span{old})).has_value());
  {
    no_space_after full{0};
    const auto em = file.change(5, 3, map_convert);
    ASSERT_TRUE(em.has_value()) << em.error().name();
    EXPECT_EQ(em->len, 3u);
    EXPECT_EQ(em->type, extent_type::mapped);
  }
  EXPECT_EQ(file.depth(), 0u);
  EXPECT_EQ(file.look(0, 100)->len, 16u);
  EXPECT_EQ(file.look(0, 100)->type, extent_type::mapped);
  const std::string now = device_bytes(file, at, old.size());
  for (std::size_t i = 0; i < now.size(); ++i) ASSERT_EQ(now[i], i / 1024 >= 5 && i / 1024 < 8 ? 'x' : '\0') << "byte " << i;
  file.unmount_and_check(disk);
}

// Written blocks behind the end would be an error to e2fsck, so what is preallocated there stays as it is.
TEST(map_blocks, conversion_makes_nothing_written_behind_the_end) {
  const image disk = image_with_file("-b 1024", "4M");
  for (const loff_t size : {loff_t{0}, loff_t{7 << 10}, loff_t{15 << 10}, loff_t{(15 << 10) + 1}, loff_t{16 << 10}}) {
    tree_file file{disk, size};
    fill_root(file);
    const std::uint64_t at = bytes_of(file.look(0, 16)->pblk, 10);
    const std::string old(16 << 10, 'x');
    ASSERT_TRUE(file.fs().device().write(at, std::as_bytes(std::span{old})).has_value());
    const bool covered = size > 15 << 10;
    {
      no_space_after full{0};
      EXPECT_EQ(errno_of(file.change(5, 3, map_convert)), covered ? 0 : ENOSPC) << size;
    }
    EXPECT_EQ(file.look(0, 16)->type, covered ? extent_type::mapped : extent_type::unwritten) << size;
    EXPECT_EQ(device_bytes(file, at, 1)[0], covered ? '\0' : 'x') << size;
    EXPECT_EQ(errno_of(file.change(5, 3, map_convert)), 0) << size;
    EXPECT_EQ(file.look(5, 3)->type, extent_type::mapped) << size;
  }
}

TEST(map_blocks, the_second_cut_may_be_the_one_that_finds_no_space) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  ASSERT_EQ(file.change(0, 16, map_create_unwritten)->len, 16u);
  for (std::uint32_t i = 1; i <= 2; ++i) ASSERT_TRUE(file.change(100 * i, 1, map_create_written).has_value());
  const std::uint64_t at = bytes_of(file.look(0, 16)->pblk, 10);
  const std::string old(16 << 10, 'x');
  ASSERT_TRUE(file.fs().device().write(at, std::as_bytes(std::span{old})).has_value());
  {
    no_space_after full{0};
    ASSERT_TRUE(file.change(5, 3, map_convert).has_value());
  }
  EXPECT_EQ(file.look(0, 100)->len, 8u);
  EXPECT_EQ(file.look(8, 100)->type, extent_type::unwritten);
  const std::string now = device_bytes(file, at, 8 << 10);
  for (std::size_t i = 0; i < now.size(); ++i) ASSERT_EQ(now[i], i / 1024 >= 5 ? 'x' : '\0') << "byte " << i;
  file.unmount_and_check(disk);
}

TEST(map_blocks, allocation_without_a_block_for_the_tree_leaves_nothing_behind) {
  const image disk = image_with_file("-b 1024", "4M");
  tree_file file{disk};
  fill_root(file);
  const auto before = file.fs().sb().s_freeblocks.load();
  const auto sectors = file.inode().i_blocks.load();
  {
    no_space_after tree_block{1};
    EXPECT_EQ(file.change(1000, 1, map_create_written).error(), ENOSPC);
  }
  EXPECT_EQ(file.fs().sb().s_freeblocks.load(), before);
  EXPECT_EQ(file.inode().i_blocks.load(), sectors);
  EXPECT_EQ(file.look(1000, 1)->type, extent_type::hole);
  ASSERT_TRUE(file.change(1000, 1, map_create_written).has_value());
  file.unmount_and_check(disk);
}

// ---- files without extents: made by an image without the feature

image indirect_image(std::size_t bytes) {
  image made = make_image("-b 1024 -O ^extent,^64bit,^huge_file -N 64", "24M");
  const std::string source = made.path() + ".source";
  std::ofstream{source} << pattern(bytes);
  debugfs(made.path(), "write " + source + " file", true);
  std::remove(source.c_str());
  EXPECT_EQ(run_command({"/sbin/tune2fs", "-O", "extent", made.path()}).status, 0);  // as one goes over from ext3
  return made;
}

TEST(block_map, reads_through_all_levels_of_indirection) {
  // 12 direct, 256 indirect, then double indirect.
  const image disk = indirect_image(3'000'000);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  EXPECT_TRUE(read_file(fs.task(), "/file") == pattern(3'000'000));
}

TEST(block_map, is_shown_by_fiemap_to_its_end) {
  const image disk = indirect_image(300'000);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto fd = fs.task().open("/file", O_RDONLY);
  ASSERT_TRUE(fd.has_value());
  std::vector<vfs::fiemap_extent> extents;
  const auto listed = fs.task().fiemap(*fd, 0, UINT64_MAX, extents);
  ASSERT_TRUE(listed.has_value()) << listed.error().message();
  std::uint64_t bytes = 0;
  for (const auto& e : extents) bytes += e.length;
  EXPECT_EQ(bytes, 293u * 1024);
  ASSERT_FALSE(extents.empty());
  EXPECT_EQ(extents.back().flags, FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_MERGED);
  EXPECT_TRUE(fs.task().close(*fd).has_value());
}

// From a few tables, each there many times, a list of as many stretches as the device has blocks could be made.
TEST(block_map, with_a_table_that_is_there_twice_is_not_listed) {
  image disk = indirect_image(3'000'000);
  const std::string said = debugfs(disk.path(), "stat /file");
  const std::size_t at = said.find("(DIND):");
  ASSERT_NE(at, std::string::npos);
  const std::uint64_t table = std::strtoul(said.c_str() + at + 7, nullptr, 10) * 1024;
  disk.poke_value(table + 4, disk.peek_value<le32>(table));
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  const auto fd = fs.task().open("/file", O_RDONLY);
  ASSERT_TRUE(fd.has_value());
  std::vector<vfs::fiemap_extent> extents;
  EXPECT_EQ(fs.task().fiemap(*fd, 0, UINT64_MAX, extents).error(), EUCLEAN);
  EXPECT_NE(fs.log().find("is there twice"), std::string::npos) << fs.log();
  EXPECT_TRUE(extents.empty());
  EXPECT_TRUE(fs.task().close(*fd).has_value());
}

TEST(block_map, is_overwritten_in_place) {
  const image disk = indirect_image(300'000);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto fd = fs.task().open("/file", O_RDWR);
  ASSERT_TRUE(fd.has_value());
  const auto blocks = fs.task().fstat(*fd)->blocks;
  EXPECT_EQ(fs.task().pwrite(*fd, "hello", 5, 290000).value_or(0), 5u);
  EXPECT_EQ(fs.task().fstat(*fd)->blocks, blocks);
  EXPECT_EQ(fs.task().fallocate(*fd, 0, 0, 400000).error(), EOPNOTSUPP) << "it cannot say unwritten";
  EXPECT_TRUE(fs.task().close(*fd).has_value());
  EXPECT_EQ(read_file(fs.task(), "/file").substr(290000, 5), "hello");
  fs.umount_and_check(disk);
}

// Blocks of 1 KiB: direct to 12 KiB, then 256 KiB, 64 MiB, 16 GiB.
constexpr loff_t in_each_level[] = {0, 5 << 10, 13 << 10, 200 << 10, 300 << 10, 60 << 20, 70 << 20, loff_t{9} << 30};

TEST(block_map, grows_through_all_levels_of_indirection) {
  for (const char* options : {"dax=never", "sync,dax=never"}) {
    const image disk = make_image("-b 1024 -O ^extent,^64bit", "24M");
    mounted fs{disk, options};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    auto fd = fs.task().open("/file", O_RDWR | O_CREAT, 0644);
    ASSERT_TRUE(fd.has_value());
    for (const loff_t pos : in_each_level) EXPECT_EQ(fs.task().pwrite(*fd, "there", 5, pos + 100).value_or(0), 5u) << pos;
    std::string around(1024, '?');
    std::string expected(1024, '\0');
    expected.replace(100, 5, "there");
    for (const loff_t pos : in_each_level) {
      const std::size_t got = fs.task().pread(*fd, around.data(), around.size(), pos).value_or(0);
      EXPECT_EQ(around.substr(0, got), expected.substr(0, got)) << pos << ": zeros around what was written";
    }
    EXPECT_TRUE(fs.task().close(*fd).has_value());
    fs.umount_and_check(disk);
    EXPECT_NE(debugfs(disk.path(), "stat /file").find("(TIND)"), std::string::npos);
  }
}

TEST(block_map, takes_a_file_and_a_directory_as_large_as_one_likes) {
  const image disk = make_image("-b 1024 -O ^extent,^64bit,^metadata_csum,^flex_bg,^huge_file,^extra_isize,^dir_nlink", "24M");
  const std::string large = pattern(9'000'000);
  {
    mounted fs{disk};
    ASSERT_TRUE(fs.ok()) << fs.failure();
    write_file(fs.task(), "/large", large);
    ASSERT_TRUE(fs.task().mkdir("/dir", 0755).has_value());
    for (int i = 0; i < 700; ++i) write_file(fs.task(), "/dir/a-name-that-takes-some-room-" + std::to_string(i), "x");
    fs.umount_and_check(disk);
  }
  mounted fs{disk};
  EXPECT_TRUE(read_file(fs.task(), "/large") == large);
  for (int i = 0; i < 700; ++i) ASSERT_TRUE(fs.task().unlink("/dir/a-name-that-takes-some-room-" + std::to_string(i)).has_value()) << i;
  ASSERT_TRUE(fs.task().unlink("/large").has_value());
  fs.umount_and_check(disk);
}

TEST(block_map, leaves_nothing_behind_when_the_disk_is_full) {
  const image disk = make_image("-b 1024 -O ^extent,^64bit,^has_journal -m 0 -N 32", "2M");
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto fd = fs.task().open("/file", O_RDWR | O_CREAT, 0644);
  ASSERT_TRUE(fd.has_value());
  const std::string much = pattern(4 << 20);
  const std::size_t written = fs.task().pwrite(*fd, much.data(), much.size(), 0).value_or(0);
  EXPECT_GT(written, 1u << 20);
  EXPECT_EQ(fs.task().pwrite(*fd, much.data(), much.size(), static_cast<loff_t>(written)).error(), ENOSPC);
  EXPECT_EQ(fs.task().fstat(*fd)->size, static_cast<loff_t>(written));
  EXPECT_TRUE(fs.task().close(*fd).has_value());
  EXPECT_TRUE(read_file(fs.task(), "/file") == much.substr(0, written));
  fs.umount_and_check(disk);
}

TEST(block_map, ends_before_the_largest_file) {
  const image disk = make_image("-b 1024 -O ^extent,^64bit", "8M");
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto fd = fs.task().open("/file", O_RDWR | O_CREAT, 0644);
  ASSERT_TRUE(fd.has_value());
  const loff_t limit = indirect_max_bytes(10);
  EXPECT_EQ(fs.task().pwrite(*fd, "12345678", 8, limit - 4).value_or(0), 4u);
  EXPECT_EQ(fs.task().pwrite(*fd, "5678", 4, limit).error(), EFBIG);
  EXPECT_EQ(fs.task().ftruncate(*fd, limit + 1).error(), EFBIG);
  EXPECT_TRUE(fs.task().close(*fd).has_value());
  fs.umount_and_check(disk);
}

TEST(block_map, is_truncated_step_by_step) {
  const image disk = indirect_image(3'000'000);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  const std::string before = read_file(fs.task(), "/file");
  for (loff_t size : {2999999, 1000001, 280000, 270000, 13000, 12288, 5000, 1, 0}) {
    ASSERT_TRUE(fs.task().truncate("/file", size).has_value()) << size;
    ASSERT_EQ(read_file(fs.task(), "/file"), before.substr(0, static_cast<std::size_t>(size))) << size;
  }
  EXPECT_EQ(fs.task().stat("/file")->blocks, 0u);
  fs.umount_and_check(disk);
}

TEST(block_map, is_deleted) {
  const image disk = indirect_image(3'000'000);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  ASSERT_TRUE(fs.task().unlink("/file").has_value());
  fs.umount_and_check(disk);
}

TEST(block_map, a_pointer_into_metadata_is_corruption) {
  const image disk = indirect_image(300'000);
  debugfs(disk.path(), "set_inode_field file block[3] 1", true);
  mounted fs{disk};
  ASSERT_TRUE(fs.ok()) << fs.failure();
  auto fd = fs.task().open("/file", O_RDONLY);
  ASSERT_TRUE(fd.has_value());
  char byte;
  EXPECT_TRUE(fs.task().pread(*fd, &byte, 1, 0).has_value());
  EXPECT_EQ(fs.task().pread(*fd, &byte, 1, 3 * 1024).error(), EUCLEAN);
  EXPECT_NE(fs.log().find("block map"), std::string::npos) << fs.log();
}

}  // namespace
}  // namespace xip::ext4lite
