// What: new blocks never show what lay on them before: the disk is written full, emptied, and blocks are taken again by every means.
// Why: a hole or unwritten block must read zeros, and a partial write zeroes head and tail: else the bytes of another file leak.
// Groups: auto dax enospc. Needs: DAX.
#include "helpers.h"

XIP_SCENARIO("auto enospc", "stale blocks never show", .dax = true) {
  const int filler = t.create("filler");
  t.expect(t.fill_up(filler, 0, {.file = 99}) > 30 * mib, "the disk was written full");
  t.must(t->close(filler));
  t.must(t->unlink("filler"));
  t.must(t.kernel().sync());
  const loff_t block = t.block_size();
  for (std::uint32_t i = 0; i < 40; ++i) {
    const int fd = t.create(numbered("f", i));
    const stamp who{.file = 1 + i};
    const loff_t at = i * 333;
    t.put(fd, at, 100, who);
    t.expect_zeros(fd, 0, static_cast<std::size_t>(at));
    t.must(t->fallocate(fd, 0, 10 * block, 20 * block));
    t.put(fd, 15 * block + 77, 5000, who);
    t.must(t->ftruncate(fd, 40 * block));
    t.put(fd, 35 * block + 1, 1, who);
    t.expect_zeros(fd, at + 100, static_cast<std::size_t>(15 * block + 77 - at - 100));
    t.expect_zeros(fd, 15 * block + 77 + 5000, static_cast<std::size_t>(20 * block + 1 - 77 - 5000));
    t.expect_zeros(fd, 35 * block + 2, static_cast<std::size_t>(5 * block - 2));
    t.must(t->close(fd));
  }
}
