// What: statfs: the sums hold, and blocks, inodes and reserved blocks are counted as they come and go.
// Why: df and quotas of tools believe these numbers; e2fsck compares the counters on disk.
// Groups: auto quick statfs. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick statfs", "statfs counts") {
  const auto before = t.must(t->statfs("."));
  t.expect_equal(before.type, 0xef53u, "the magic number");
  t.expect_equal(before.bsize, t.block_size(), "the block size");
  t.expect_equal(before.namelen, 255u, "the longest name");
  t.expect(before.blocks * before.bsize <= t.device().size(), "blocks fit on the device");
  t.expect(before.bavail <= before.bfree && before.bfree <= before.blocks, "available, free and all blocks are in order");
  t.expect(before.ffree <= before.files, "free and all inodes are in order");
  const int fd = t.create("file");
  t.must(t->fallocate(fd, 0, 0, static_cast<loff_t>(100 * before.bsize)));
  const auto with = t.must(t->fstatfs(fd));
  t.expect_equal(before.bfree - with.bfree, 100u, "blocks in use by a preallocated file");
  t.expect_equal(before.bavail - with.bavail, 100u, "available blocks less");
  t.expect_equal(before.ffree - with.ffree, 1u, "inodes in use");
  t.expect_equal(with.blocks, before.blocks, "all blocks");
  t.expect_equal(t.must(t->fstat(fd)).blocks, 100 * before.bsize / 512, "blocks of the file");
  t.must(t->close(fd));
  t.must(t->mkdir("dir", 0755));
  const auto with_dir = t.must(t->statfs("."));
  t.expect_equal(with.bfree - with_dir.bfree, 1u, "the block of a directory");
  t.expect_equal(with.ffree - with_dir.ffree, 1u, "the inode of a directory");
  t.cycle();
  const auto again = t.must(t->statfs("."));
  t.expect_equal(again.bfree, with_dir.bfree, "free blocks after a new mount");
  t.expect_equal(again.ffree, with_dir.ffree, "free inodes after a new mount");
  t.must(t->unlink("file"));
  t.must(t->rmdir("dir"));
  t.must(t.kernel().sync());
  const auto after = t.must(t->statfs("."));
  t.expect_equal(after.bfree, before.bfree, "free blocks after all was removed");
  t.expect_equal(after.ffree, before.ffree, "free inodes after all was removed");
}
