// What: a sparse file with a block at powers of two up to 8 TiB, or to what smaller blocks allow: data, holes between, sizes, blocks,
// all after a new mount too.
// Why: block numbers above 2^31 and byte offsets above 2^32 go through every shift and cast.
// Groups: auto quick rw sparse. Needs: huge_file, feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick rw sparse", "blocks far apart", .huge_files = true, .extents = true) {
  const loff_t block = t.block_size();
  const int fd = t.create("file");
  // An extent names 2^32 - 1 blocks: the largest file of 2 KiB blocks ends a block short of 2^43.
  const int last = block < 4096 ? 41 : 43;
  for (int shift = 13; shift < last; shift += 2) t.put(fd, (loff_t{1} << shift) + 17, 100, {.file = 17});
  t.must(t->ftruncate(fd, (loff_t{1} << last) - 1));
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDWR));
  loff_t at = 0;
  for (int shift = 13; shift < last; shift += 2) {
    const loff_t data = loff_t{1} << shift;
    t.expect_answer(t->lseek(again, at, SEEK_DATA), data, "where data is");
    t.expect_data(again, data + 17, 100, {.file = 17});
    t.expect_zeros(again, data, 17);
    t.expect_zeros(again, data + 117, 50);
    at = t.must(t->lseek(again, data, SEEK_HOLE));
    if (shift + 2 < last) t.expect_equal(at, data + block, "where the hole is");
  }
  t.expect(t.must(t->fstat(again)).blocks <= 40u * static_cast<std::uint64_t>(block) / 512, "few blocks are in use");
  t.must(t->ftruncate(again, 0));
  t.expect_equal(t.must(t->fstat(again)).blocks, 0u, "blocks after truncate");
}
