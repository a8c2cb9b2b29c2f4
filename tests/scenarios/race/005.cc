// What: two unaligned writers in one block past the end of the file, racing: both leave their bytes, all else is zero.
// Why: in ext4's unaligned direct I/O each writer zeroed what it did not write of a fresh block, and so the other's bytes (Linux
// 57a0da28ced8 and 372a03e01853).
// Groups: auto race rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto rw", "two writers in one new block") {
  const auto block = static_cast<loff_t>(t.block_size());
  for (unsigned round = 0; round < 200; ++round) {
    const std::string name = numbered("f", round % 8);
    const int fd = t.must(t->open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
    if (round % 3 == 1) t.must(t->fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * block));
    const loff_t base = round % 2 == 0 ? 0 : 2 * block;
    t.parallel(2, [&](vfs::task& me, unsigned index) {
      const int mine = t.must(me.open(name, O_RDWR));
      t.put(me, mine, base + 100 + 400 * index, 300, {.file = 1 + index});
    });
    t.expect_equal(t.size_of(fd), base + 800, "the size");
    t.expect_zeros(fd, 0, static_cast<std::size_t>(base + 100));
    t.expect_data(fd, base + 100, 300, {.file = 1});
    t.expect_zeros(fd, base + 400, 100);
    t.expect_data(fd, base + 500, 300, {.file = 2});
    t.must(t->close(fd));
  }
}
