// What: truncate up to a block, write 100 bytes in its middle: the rest of the block reads zeros.
// Why: both halves of a new block must be zeroed, once; zeroing twice wiped the bytes in the DAX patches of February 2014.
// Groups: auto quick rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw", "a partial write into a hole zeroes the rest of the block") {
  const int fd = t.create("file");
  const auto block = static_cast<loff_t>(t.block_size());
  for (const loff_t at : {loff_t{50}, loff_t{0}, block - 100}) {
    t.must(t->ftruncate(fd, 0));
    t.must(t->ftruncate(fd, block));
    t.put(fd, at, 100, {.file = 2});
    t.expect_data(fd, at, 100, {.file = 2});
    t.expect_zeros(fd, 0, static_cast<std::size_t>(at));
    t.expect_zeros(fd, at + 100, static_cast<std::size_t>(block - at - 100));
    t.expect_equal(t.size_of(fd), block, "the size");
  }
}
