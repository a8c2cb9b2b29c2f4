// What: 20,000 files are made and removed, 100 at a time: numbers are used again, nothing leaks, the directory stays small.
// Why: a leak of one block or inode in a thousand shows here.
// Groups: auto unlink. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto unlink", "make and remove 20,000 files") {
  t.must(t->mkdir("dir", 0755));
  std::uint64_t before = 0, largest = 0;
  for (unsigned round = 0; round < 200; ++round) {
    for (unsigned i = 0; i < 100; ++i) {
      const int fd = t.create("dir/" + numbered("f", i));
      if (i % 10 == 0) t.put(fd, 0, 6000, {});
      largest = std::max(largest, t.must(t->fstat(fd)).ino);
      t.must(t->close(fd));
    }
    for (unsigned i = 0; i < 100; ++i) t.must(t->unlink("dir/" + numbered("f", i)));
    if (round % 50 == 0) t.must(t.kernel().sync());
    if (round == 0) before = free_bytes(t);  // the directory has all the blocks that 100 names need, and keeps them
  }
  t.expect(largest < 8000, "inode numbers are used again");
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
