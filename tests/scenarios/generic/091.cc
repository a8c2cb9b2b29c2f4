// What: holes punched inside blocks, over whole blocks, across the end, over holes and unwritten blocks: zeros are read, whole blocks come back, the size stays.
// Why: bytes at the edges are zeroed where they lie, whole blocks are taken out of the tree or map.
// Groups: auto quick rw prealloc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw prealloc", "holes are punched") {
  const stamp data{.file = 91};
  const loff_t block = t.block_size();
  const int fd = t.create("file");
  const loff_t size = 40 * block + 100;
  t.put(fd, 0, static_cast<std::size_t>(size), data);
  const auto blocks = [&] { return static_cast<loff_t>(t.must(t->fstat(fd)).blocks) * 512 / block; };
  const auto punch = [&](loff_t from, loff_t bytes) {
    t.must(t->fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes));
    t.expect_equal(t.size_of(fd), size, "the size");
  };
  const loff_t before = blocks();
  punch(10, 20);
  punch(block - 5, 10);
  t.expect_equal(blocks(), before, "blocks after holes within blocks");
  punch(4 * block + 1, 4 * block);
  t.expect_equal(blocks(), before - 3, "blocks after a hole of three whole ones");
  punch(4 * block, 8 * block);
  t.expect_equal(blocks(), before - 8, "blocks after a larger hole over it");
  punch(39 * block, 100 * block);
  t.expect_equal(blocks(), before - 10, "blocks after a hole across the end");
  punch(size, block);
  punch(1000 * block, block);

  const auto look = [&](int in) {
    t.expect_data(in, 0, 10, data);
    t.expect_zeros(in, 10, 20);
    t.expect_data(in, 30, static_cast<std::size_t>(block - 35), data);
    t.expect_zeros(in, block - 5, 10);
    t.expect_data(in, block + 5, static_cast<std::size_t>(3 * block - 5), data);
    t.expect_zeros(in, 4 * block, static_cast<std::size_t>(8 * block));
    t.expect_data(in, 12 * block, static_cast<std::size_t>(27 * block), data);
    t.expect_zeros(in, 39 * block, static_cast<std::size_t>(block + 100));
    t.expect_equal(t.must(t->lseek(in, 0, SEEK_HOLE)), 4 * block, "the first hole");
    t.expect_equal(t.must(t->lseek(in, 4 * block, SEEK_DATA)), 12 * block, "the end of the hole");
    t.expect_errno(t->lseek(in, 39 * block, SEEK_DATA), ENXIO);
  };
  look(fd);
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDWR));
  look(again);
  t.put(again, 5 * block, static_cast<std::size_t>(block), data);
  t.expect_data(again, 5 * block, static_cast<std::size_t>(block), data);
  t.expect_zeros(again, 6 * block, static_cast<std::size_t>(6 * block));
  t.must(t->close(again));
}
