// Requests that move a part of what they should and then fail, under files that are copied through them (dax=never): the call answers with what
// it can vouch for, and no byte becomes anything but what was written to it or what it was.
#include <cerrno>

#include <fcntl.h>
#include <sys/uio.h>

#include <array>

#include <gtest/gtest.h>

#include <xip/vfs/user_access.h>

#include "fs_ext4lite/image.h"
#include "fs_ext4lite/tree.h"

namespace xip::ext4lite::test {
namespace {

using what = dev::fault_rule::what;

constexpr std::size_t file_bytes = 64 << 10;

class short_transfer : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs.ok()) << fs.failure();
    const auto opened = t().open("/f", O_RDWR | O_CREAT, 0644);
    ASSERT_TRUE(opened.has_value());
    fd = *opened;
  }
  vfs::task& t() { return fs.task(); }
  // The file's blocks hold OLD, in one extent, and its requests are short from now on.
  void fill_and_limit(what kind, std::uint64_t moved, std::uint32_t times = ~0u) {
    ASSERT_EQ(t().pwrite(fd, old.data(), old.size(), 0).value_or(0), file_bytes);
    ASSERT_TRUE(t().fsync(fd).has_value());
    std::vector<vfs::fiemap_extent> all;
    ASSERT_TRUE(t().fiemap(fd, 0, UINT64_MAX, all).has_value());
    ASSERT_EQ(all.size(), 1u);
    rule = device->add({.kind = kind, .offset = all[0].physical, .bytes = file_bytes, .times = times, .moved = moved});
  }
  std::string contents() {
    device->remove(rule);
    std::string text(2 * file_bytes, '?');
    text.resize(t().pread(fd, text.data(), text.size(), 0).value_or(0));
    return text;
  }
  void close_and_check() {
    EXPECT_TRUE(t().close(fd).has_value());
    fs.umount_and_check(*below, disk);
  }

  image disk = make_image("-b 4096", "8M");
  std::unique_ptr<dev::device> below = load(disk);
  std::unique_ptr<dev::faulty_device> device = dev::make_faulty(*below);
  mounted fs{*device, "dax=never"};
  int fd = -1;
  std::uint32_t rule = 0;
  const std::string old = pattern(file_bytes, 1);
  const std::string young = pattern(file_bytes, 2);
};

TEST_F(short_transfer, of_a_whole_write_is_an_error_and_the_rest_stays_old) {
  fill_and_limit(what::short_write, 10'000);
  EXPECT_EQ(errno_of(t().pwrite(fd, young.data(), young.size(), 0)), EIO);
  EXPECT_TRUE(contents() == young.substr(0, 10'000) + old.substr(10'000));
  close_and_check();
}

// Of the two parts the first can be carried out alone: its bytes are counted, and none of the second's.
TEST_F(short_transfer, behind_a_good_part_of_a_write_gives_its_count) {
  fill_and_limit(what::short_write, 20'000);
  std::string first = young.substr(0, 16'384), second = young.substr(16'384);
  const std::array<iovec, 2> parts{iovec{first.data(), first.size()}, iovec{second.data(), second.size()}};
  EXPECT_EQ(t().pwritev2(fd, parts.data(), 2, 0, 0).value_or(0), 16'384u);
  EXPECT_TRUE(contents() == young.substr(0, 16'384 + 20'000) + old.substr(16'384 + 20'000));
  close_and_check();
}

TEST_F(short_transfer, that_does_not_come_again_is_made_good) {
  fill_and_limit(what::short_write, 20'000, 1);
  EXPECT_EQ(t().pwrite(fd, young.data(), young.size(), 0).value_or(0), file_bytes);
  EXPECT_TRUE(contents() == young);
  close_and_check();
}

// What lay in the blocks before is nobody's business: they stay unwritten, and the file no longer than it was.
TEST_F(short_transfer, into_a_hole_leaves_the_hole) {
  rule = device->add({.kind = what::short_write, .moved = 10'000});
  EXPECT_EQ(errno_of(t().pwrite(fd, young.data(), young.size(), 0)), EIO);
  EXPECT_EQ(contents(), "");
  ASSERT_TRUE(t().ftruncate(fd, file_bytes).has_value());
  EXPECT_TRUE(contents() == std::string(file_bytes, '\0'));
  close_and_check();
}

TEST_F(short_transfer, of_a_read_gives_no_byte_that_did_not_arrive) {
  fill_and_limit(what::short_read, 20'000);
  std::string first(16'384, '?'), second(49'152, '?');
  const std::array<iovec, 2> parts{iovec{first.data(), first.size()}, iovec{second.data(), second.size()}};
  EXPECT_EQ(t().preadv2(fd, parts.data(), 2, 0, 0).value_or(0), 16'384u);
  EXPECT_TRUE(first == old.substr(0, 16'384));
  EXPECT_EQ(errno_of(t().pread(fd, second.data(), second.size(), 0)), EIO);
  EXPECT_TRUE(contents() == old);
  close_and_check();
}

// Buffers that are not plain memory pass through a page of our own, piece by piece, while zeros for the rest of the block are only noted.
vfs::user_access page_by_page() {
  return {.fault_in = [](void*, const std::byte*, std::size_t bytes, bool) { return bytes; },
          .copy_in =
              [](void*, const std::byte* user, std::size_t bytes, bool, vfs::move_piece move, void* argument) {
                move(argument, const_cast<std::byte*>(user), 0, bytes);
                return bytes;
              },
          .copy_out = nullptr,
          .context = nullptr};
}

// Its blocks are given back at once and may be another file's next: zeros that were noted for them are not written late, or counted as bytes of the call.
TEST_F(short_transfer, of_a_slice_that_fails_writes_nothing_afterwards) {
  ASSERT_EQ(t().pwrite(fd, old.data(), 1000, 0).value_or(0), 1000u);
  ASSERT_TRUE(t().fsync(fd).has_value());
  const vfs::user_access user = page_by_page();
  t().uaccess = &user;
  rule = device->add({.kind = what::eio_write, .times = 1});
  EXPECT_EQ(errno_of(t().pwrite(fd, young.data(), 1000, 3 * 4096 + 100)), EIO);
  t().uaccess = nullptr;
  EXPECT_TRUE(contents() == old.substr(0, 1000));
  close_and_check();
}

}  // namespace
}  // namespace xip::ext4lite::test
