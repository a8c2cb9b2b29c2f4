// What: the largest file. 8192 bytes at one block below s_maxbytes: a block's worth, then EFBIG; truncate beyond is EFBIG.
// Why: a 32-bit block number ends there; what is beyond would wrap.
// Groups: auto quick rw errors. Needs: huge_file, feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick rw errors", "EFBIG at s_maxbytes", .huge_files = true, .extents = true) {
  const loff_t block = t.block_size();
  const loff_t most = ((loff_t{1} << 32) - 1) * block;
  const int fd = t.create("file");
  std::vector<std::byte> data(static_cast<std::size_t>(2 * block));
  fill(data, most - block, {.file = 16});
  t.expect_answer(t->pwrite(fd, data.data(), data.size(), most - block), block, "bytes written at the end of all files");
  t.expect_errno(t->pwrite(fd, data.data(), data.size(), most), EFBIG);
  t.expect_errno(t->pwrite(fd, data.data(), 1, most), EFBIG);
  t.expect_equal(t.size_of(fd), most, "the size");
  t.expect_data(fd, most - block, static_cast<std::size_t>(block), {.file = 16});
  t.expect_zeros(fd, most - 3 * block, static_cast<std::size_t>(2 * block));
  t.expect_errno(t->ftruncate(fd, most + 1), EFBIG);
  t.expect_errno(t->fallocate(fd, 0, most - block, 2 * block), EFBIG);
  t.expect_errno(t->lseek(fd, most + 1, SEEK_SET), EINVAL);
  t.expect_answer(t->lseek(fd, 0, SEEK_DATA), most - block, "the only data");
  t.must(t->ftruncate(fd, 10));
  t.must(t->ftruncate(fd, most));
  t.expect_zeros(fd, most - 100, 100);
  t.expect(t.must(t->fstat(fd)).blocks <= static_cast<std::uint64_t>(8 * block / 512), "few blocks are in use");
}
