// read, write, their vector and positioned forms, lseek.
#include <linux/falloc.h>

#include "vfs/vfs_fixture.h"

namespace xip::vfs::test {
namespace {

class read_write : public vfs_test {
 protected:
  void SetUp() override {
    write_file("/f", "0123456789");
    fd = open_ok(t, "/f", O_RDWR);
  }
  [[nodiscard]] std::string pread_text(std::size_t bytes, loff_t pos) {
    std::string text(bytes, '#');
    text.resize(t.pread(fd, text.data(), bytes, pos).value_or(0));
    return text;
  }
  int fd = -1;
  char byte = 'x';
};

TEST_F(read_write, the_position_moves_by_what_was_moved) {
  char text[8];
  EXPECT_EQ(*t.read(fd, text, 8), 8u);
  EXPECT_EQ(*t.read(fd, text, 8), 2u);
  EXPECT_EQ(*t.read(fd, text, 8), 0u);
  EXPECT_EQ(*t.write(fd, "ab", 2), 2u);
  EXPECT_EQ(*t.lseek(fd, 0, SEEK_CUR), 12);
  EXPECT_EQ(pread_text(20, 8), "89ab");
  EXPECT_EQ(*t.lseek(fd, 0, SEEK_CUR), 12) << "pread leaves the position alone";
}

TEST_F(read_write, append_goes_to_the_end_whatever_the_offset) {
  const int append = open_ok(t, "/f", O_WRONLY | O_APPEND);
  EXPECT_EQ(*t.pwrite(append, "A", 1, 0), 1u);
  EXPECT_EQ(*t.write(append, "B", 1), 1u);
  EXPECT_EQ(*t.lseek(append, 0, SEEK_CUR), 12);
  EXPECT_EQ(pread_text(20, 8), "89AB");
}

TEST_F(read_write, descriptors_must_be_open_for_it) {
  const int reader = open_ok(t, "/f", O_RDONLY);
  const int writer = open_ok(t, "/f", O_WRONLY);
  EXPECT_ERRNO(EBADF, t.write(reader, &byte, 1));
  EXPECT_ERRNO(EBADF, t.pwrite(reader, &byte, 1, 0));
  EXPECT_ERRNO(EBADF, t.read(writer, &byte, 1));
  EXPECT_ERRNO(EBADF, t.pread(writer, &byte, 1, 0));
  for (const int bad : {-1, 99, 1 << 30}) {
    EXPECT_ERRNO(EBADF, t.read(bad, &byte, 1));
    EXPECT_ERRNO(EBADF, t.pwrite(bad, &byte, 1, 0));
    EXPECT_ERRNO(EBADF, t.lseek(bad, 0, SEEK_SET));
  }
  EXPECT_EQ(disk.writes, 1u) << "only SetUp's";
}

TEST_F(read_write, directories_are_not_read) {
  const int dir = open_ok(t, "/", O_RDONLY);
  EXPECT_ERRNO(EISDIR, t.read(dir, &byte, 1));
  EXPECT_ERRNO(EISDIR, t.pread(dir, &byte, 1, 0));
}

TEST_F(read_write, positions_and_counts_have_a_range) {
  EXPECT_ERRNO(EINVAL, t.pread(fd, &byte, 1, -1));
  EXPECT_ERRNO(EINVAL, t.pwrite(fd, &byte, 1, -1));
  EXPECT_ERRNO(EINVAL, t.pread(99, &byte, 1, -1)) << "before the descriptor is looked at";
  EXPECT_ERRNO(EINVAL, t.pread(fd, &byte, 2, INT64_MAX - 1));
  EXPECT_ERRNO(EINVAL, t.read(fd, &byte, static_cast<std::size_t>(-1)));
  EXPECT_EQ(*t.pread(fd, &byte, 1, INT64_MAX - 1), 0u);
}

TEST_F(read_write, one_call_moves_at_most_what_linux_moves) {
  std::atomic<std::size_t> asked{0};
  user_access access{.fault_in = [](void*, const std::byte*, std::size_t n, bool) { return n; },
                     .copy_in =
                         [](void* c, const std::byte*, std::size_t n, bool, move_piece, void*) {
                           *static_cast<std::atomic<std::size_t>*>(c) = n;
                           return std::size_t{0};
                         },
                     .copy_out = nullptr,
                     .context = &asked};
  t.uaccess = &access;
  disk.nodes.at(static_cast<std::uint32_t>(t.fstat(fd)->ino)).data.reserve(16);
  t.limits.fsize = 100;
  EXPECT_ERRNO(EFAULT, t.pwrite(fd, &byte, std::size_t{1} << 40, 0));
  EXPECT_EQ(asked, 100u) << "RLIMIT_FSIZE cuts";
  t.uaccess = nullptr;
}

TEST_F(read_write, vectors) {
  char a[3], b[4];
  const iovec out[] = {{a, 3}, {nullptr, 0}, {b, 4}};
  EXPECT_EQ(*t.preadv2(fd, out, 3, 1, 0), 7u);
  EXPECT_EQ(std::string(a, 3) + std::string(b, 4), "1234567");
  char x[] = "xy", z[] = "z";
  const iovec in[] = {{nullptr, 0}, {x, 2}, {nullptr, 0}, {nullptr, 0}, {z, 1}, {nullptr, 0}};
  EXPECT_EQ(*t.pwritev2(fd, in, 6, 4, 0), 3u);
  EXPECT_EQ(pread_text(20, 0), "0123xyz789");
  EXPECT_EQ(*t.readv(fd, out, 3), 7u);
  EXPECT_EQ(*t.writev(fd, in, 6), 3u);
  EXPECT_EQ(*t.lseek(fd, 0, SEEK_CUR), 10);
  EXPECT_EQ(*t.readv(fd, out, 0), 0u);
  EXPECT_EQ(*t.preadv2(fd, out, 1, -1, 0), 0u) << "at the file position, which is the end";
}

TEST_F(read_write, bad_vectors) {
  char a[4];
  const iovec ok[] = {{a, 4}};
  const iovec negative[] = {{a, 4}, {a, static_cast<std::size_t>(-1)}};
  std::vector<iovec> many(1025, {a, 1});
  EXPECT_ERRNO(EINVAL, t.readv(fd, ok, -1));
  EXPECT_ERRNO(EINVAL, t.readv(fd, negative, 2));
  EXPECT_ERRNO(EINVAL, t.readv(fd, many.data(), 1025));
  EXPECT_OK(t.readv(fd, many.data(), 1024));
  EXPECT_ERRNO(EINVAL, t.preadv2(fd, ok, 1, -2, 0));
  EXPECT_ERRNO(EBADF, t.readv(99, ok, 1));
  EXPECT_ERRNO(EBADF, t.readv(99, ok, -1));
  const int writer = open_ok(t, "/f", O_WRONLY);
  EXPECT_ERRNO(EBADF, t.readv(writer, ok, 0)) << "even for nothing";
}

TEST_F(read_write, rwf_flags) {
  char a[] = "a";
  const iovec v[] = {{a, 1}};
  EXPECT_ERRNO(EOPNOTSUPP, t.preadv2(fd, v, 1, 0, 1 << 20));
  EXPECT_ERRNO(EOPNOTSUPP, t.pwritev2(fd, v, 1, 0, 1 << 20));
  EXPECT_EQ(*t.pwritev2(fd, v, 1, 0, RWF_APPEND), 1u);
  EXPECT_EQ(pread_text(20, 9), "9a");
  EXPECT_EQ(disk.fsyncs + disk.datasyncs, 0u);
  EXPECT_EQ(*t.pwritev2(fd, v, 1, 3, RWF_DSYNC), 1u);
  EXPECT_EQ(disk.datasyncs, 1u);
  EXPECT_EQ(disk.fsync_start, 3);
  EXPECT_EQ(disk.fsync_end, 4);
  EXPECT_EQ(*t.pwritev2(fd, v, 1, 0, RWF_SYNC | RWF_HIPRI), 1u);
  EXPECT_EQ(disk.fsyncs, 1u);
  EXPECT_OK(t.preadv2(fd, v, 1, 0, RWF_NOWAIT));
  EXPECT_EQ(disk.last_iocb_flags, iocb_nowait);
  EXPECT_ERRNO(EINVAL, t.pwritev2(fd, v, 1, 0, RWF_NOWAIT)) << "as on a file whose writes cannot be buffered";
}

TEST_F(read_write, synchronous_files_and_file_systems_sync_each_write) {
  const int dsync = open_ok(t, "/f", O_WRONLY | O_DSYNC);
  EXPECT_OK(t.write(dsync, "a", 1));
  EXPECT_EQ(disk.datasyncs, 1u);
  const int sync = open_ok(t, "/f", O_WRONLY | O_SYNC);
  EXPECT_OK(t.write(sync, "a", 1));
  EXPECT_EQ(disk.fsyncs, 1u);
  EXPECT_OK(t.write(sync, "", 0));
  EXPECT_EQ(disk.fsyncs, 1u) << "nothing was written";
  ASSERT_OK(k->remount("/", "sync"));
  EXPECT_OK(t.write(fd, "a", 1));
  EXPECT_EQ(disk.datasyncs, 2u);
  disk.fail_fsync = EIO;
  EXPECT_ERRNO(EIO, t.write(fd, "a", 1)) << "the count is not promised";
  disk.fail_fsync = 0;
}

TEST_F(read_write, files_end_at_the_limits) {
  const loff_t max = loff_t{1} << 40;
  t.limits.fsize = 12;
  EXPECT_EQ(*t.pwrite(fd, "abcdef", 6, 8), 4u);
  EXPECT_ERRNO(EFBIG, t.pwrite(fd, "abcdef", 6, 12));
  EXPECT_ERRNO(EFBIG, t.ftruncate(fd, 13));
  EXPECT_ERRNO(EFBIG, t.fallocate(fd, 0, 0, 13));
  EXPECT_OK(t.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 13));
  t.limits.fsize = INT64_MAX;
  EXPECT_ERRNO(EFBIG, t.pwrite(fd, "a", 1, max));
  EXPECT_ERRNO(EFBIG, t.ftruncate(fd, max + 1));
  EXPECT_ERRNO(EFBIG, t.truncate("/f", max + 1));
  EXPECT_EQ(t.fstat(fd)->size, 12);
}

TEST_F(read_write, seeking) {
  EXPECT_EQ(*t.lseek(fd, 5, SEEK_SET), 5);
  EXPECT_EQ(*t.lseek(fd, -2, SEEK_CUR), 3);
  EXPECT_EQ(*t.lseek(fd, -1, SEEK_END), 9);
  EXPECT_EQ(*t.lseek(fd, 100, SEEK_END), 110);
  EXPECT_ERRNO(EINVAL, t.lseek(fd, -1, SEEK_SET));
  EXPECT_ERRNO(EINVAL, t.lseek(fd, -111, SEEK_CUR));
  EXPECT_ERRNO(EINVAL, t.lseek(fd, -11, SEEK_END));
  EXPECT_ERRNO(EINVAL, t.lseek(fd, INT64_MAX, SEEK_CUR));
  EXPECT_ERRNO(EINVAL, t.lseek(fd, (loff_t{1} << 40) + 1, SEEK_SET));
  EXPECT_ERRNO(EINVAL, t.lseek(fd, 0, 17));
  EXPECT_EQ(*t.lseek(fd, 0, SEEK_CUR), 110) << "a refused seek moves nothing";
}

TEST_F(read_write, seeking_data_and_holes_without_a_hook) {
  EXPECT_EQ(*t.lseek(fd, 3, SEEK_DATA), 3);
  EXPECT_EQ(*t.lseek(fd, 3, SEEK_HOLE), 10);
  EXPECT_ERRNO(ENXIO, t.lseek(fd, 10, SEEK_DATA));
  EXPECT_ERRNO(ENXIO, t.lseek(fd, 10, SEEK_HOLE));
  EXPECT_ERRNO(ENXIO, t.lseek(fd, -1, SEEK_DATA));
}

TEST_F(read_write, duplicates_share_the_position) {
  const int two = *t.dup(fd);
  EXPECT_EQ(*t.read(fd, &byte, 1), 1u);
  EXPECT_EQ(*t.read(two, &byte, 1), 1u);
  EXPECT_EQ(byte, '1');
  ASSERT_OK(t.close(fd));
  EXPECT_EQ(*t.read(two, &byte, 1), 1u);
  EXPECT_EQ(byte, '2');
}

TEST_F(read_write, user_memory_may_end) {
  struct window {
    std::size_t good;
  } w{4};
  user_access access{.fault_in = [](void* c, const std::byte*, std::size_t n, bool) { return std::min(n, static_cast<window*>(c)->good); },
                     .copy_in =
                         [](void* c, const std::byte* user, std::size_t n, bool, move_piece move, void* argument) {
                           const std::size_t some = std::min(n, static_cast<window*>(c)->good);
                           if (some != 0) move(argument, const_cast<std::byte*>(user), 0, some);
                           return some;
                         },
                     .copy_out =
                         [](void* c, std::byte* user, std::size_t n, bool, move_piece move, void* argument) {
                           const std::size_t some = std::min(n, static_cast<window*>(c)->good);
                           if (some != 0) move(argument, user, 0, some);
                           return some;
                         },
                     .context = &w};
  t.uaccess = &access;
  char text[10] = {};
  EXPECT_EQ(*t.read(fd, text, 10), 4u);
  EXPECT_EQ(std::string(text), "0123");
  EXPECT_EQ(*t.lseek(fd, 0, SEEK_CUR), 4);
  EXPECT_EQ(*t.pwrite(fd, "ABCDEFGH", 8, 0), 4u);
  w.good = 0;
  EXPECT_ERRNO(EFAULT, t.read(fd, text, 10));
  EXPECT_EQ(*t.lseek(fd, 0, SEEK_CUR), 4);
  t.uaccess = nullptr;
  EXPECT_EQ(pread_text(20, 0), "ABCD456789");
}

TEST_F(read_write, truncating) {
  EXPECT_OK(t.ftruncate(fd, 4));
  EXPECT_EQ(disk.last_ia_valid, attr_size | attr_mtime | attr_ctime);
  EXPECT_OK(t.ftruncate(fd, 4));
  EXPECT_EQ(disk.last_ia_valid, attr_size | attr_mtime | attr_ctime) << "to the same size, too";
  EXPECT_OK(t.truncate("/f", 4));
  EXPECT_EQ(disk.last_ia_valid, attr_size) << "truncate to the same size changes nothing";
  EXPECT_OK(t.truncate("/f", 8));
  EXPECT_EQ(disk.last_ia_valid, attr_size | attr_mtime | attr_ctime);
  EXPECT_EQ(pread_text(20, 0), std::string("0123\0\0\0\0", 8));
  ASSERT_OK(t.mkdir("/d", 0755));
  ASSERT_OK(t.mknod("/fifo", S_IFIFO | 0666, 0));
  const int reader = open_ok(t, "/f", O_RDONLY);
  EXPECT_ERRNO(EINVAL, t.ftruncate(fd, -1));
  EXPECT_ERRNO(EINVAL, t.ftruncate(reader, 1));
  EXPECT_ERRNO(EBADF, t.ftruncate(99, 1));
  EXPECT_ERRNO(EINVAL, t.truncate("/f", -1));
  EXPECT_ERRNO(EISDIR, t.truncate("/d", 1));
  EXPECT_ERRNO(EINVAL, t.truncate("/fifo", 1));
  EXPECT_ERRNO(ENOENT, t.truncate("/none", 1));
}

TEST_F(read_write, fallocate_modes) {
  EXPECT_OK(t.fallocate(fd, 0, 0, 20));
  EXPECT_EQ(t.fstat(fd)->size, 20);
  EXPECT_ERRNO(EINVAL, t.fallocate(fd, 0, -1, 1));
  EXPECT_ERRNO(EINVAL, t.fallocate(fd, 0, 0, 0));
  EXPECT_ERRNO(EINVAL, t.fallocate(fd, 0, 0, -1));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, 1 << 20, 0, 1));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1));
  EXPECT_ERRNO(EOPNOTSUPP, t.fallocate(fd, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1));
  EXPECT_ERRNO(EFBIG, t.fallocate(fd, 0, loff_t{1} << 40, 1));
  EXPECT_ERRNO(EFBIG, t.fallocate(fd, 0, INT64_MAX, INT64_MAX));
  const int reader = open_ok(t, "/f", O_RDONLY);
  const int dir = open_ok(t, "/", O_RDONLY);
  EXPECT_ERRNO(EBADF, t.fallocate(reader, 0, 0, 1));
  EXPECT_ERRNO(EBADF, t.fallocate(dir, 0, 0, 1));
  EXPECT_ERRNO(EBADF, t.fallocate(99, 0, -1, 0));
}

TEST_F(read_write, fiemap) {
  std::vector<fiemap_extent> extents;
  EXPECT_OK(t.fiemap(fd, 0, 100, extents));
  ASSERT_EQ(extents.size(), 1u);
  EXPECT_EQ(extents[0].length, 10u);
  EXPECT_ERRNO(EINVAL, t.fiemap(fd, 0, 0, extents));
  EXPECT_ERRNO(EFBIG, t.fiemap(fd, (loff_t{1} << 40) + 1, 1, extents));
  EXPECT_ERRNO(EBADF, t.fiemap(99, 0, 1, extents));
}

TEST(iov_iter_test, goes_forth_and_back_over_empty_segments) {
  char a[4] = {'a', 'b', 'c', 'd'}, b[2] = {'e', 'f'};
  const iovec v[] = {{a, 0}, {a, 4}, {nullptr, 0}, {b, 2}};
  iov_iter iter{iter_direction::source, v, 6, nullptr};
  char out[6];
  EXPECT_EQ(iter.copy_from_iter(out, 5), 5u);
  iter.revert(3);
  EXPECT_EQ(iter.count(), 4u);
  EXPECT_EQ(iter.fault_in(100), 4u);
  EXPECT_EQ(iter.copy_from_iter(out, 100), 4u);
  EXPECT_EQ(std::string(out, 4), "cdef");
  iter.revert(6);
  iter.truncate(1);
  EXPECT_EQ(iter.copy_from_iter(out, 6), 1u);
  EXPECT_EQ(out[0], 'a');
}

TEST(iov_iter_test, zero_and_copy_to) {
  char a[3] = {1, 1, 1}, b[3] = {1, 1, 1};
  const iovec v[] = {{a, 3}, {b, 3}};
  iov_iter iter{iter_direction::dest, v, 6, nullptr};
  EXPECT_EQ(iter.copy_to_iter("xy", 2), 2u);
  EXPECT_EQ(iter.zero(2), 2u);
  EXPECT_EQ(iter.count(), 2u);
  EXPECT_EQ(std::string(a, 3) + std::string(b, 3), std::string("xy\0\0\1\1", 6));
}

}  // namespace
}  // namespace xip::vfs::test
