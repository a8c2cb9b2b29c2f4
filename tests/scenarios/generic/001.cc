// What: a preallocated block that was written reads back what was written.
// Why: the XIP of 2013 asked for a block, got the preallocated one and copied into it, but left the extent marked unwritten: reads gave zeros.
// Groups: auto quick rw prealloc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw prealloc", "fallocate a block, write it, read it") {
  const int fd = t.create("file");
  const std::size_t block = t.block_size();
  t.must(t->fallocate(fd, 0, 0, static_cast<loff_t>(block)));
  t.expect_zeros(fd, 0, block);
  t.put(fd, 0, block, {.file = 1});
  t.expect_data(fd, 0, block, {.file = 1});
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 0, block, {.file = 1});
  for (const auto& e : extents_of(t, again)) t.expect(!is_unwritten(e), "the extent is written after the write");
}
