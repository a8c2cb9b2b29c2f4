// What: SEEK_DATA and SEEK_HOLE over data, holes and unwritten extents.
// Why: unwritten counts as a hole, there is a virtual hole at the end, and past the end is ENXIO; all measured on ext4.
// Groups: auto quick seek. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick seek", "SEEK_DATA and SEEK_HOLE") {
  const int fd = t.create("file");
  const loff_t block = t.block_size();
  t.expect_errno(t->lseek(fd, 0, SEEK_DATA), ENXIO);
  t.expect_errno(t->lseek(fd, 0, SEEK_HOLE), ENXIO);

  // hole [0, 4), data [4, 8), unwritten [8, 12), hole [12, 15), data [15, 16), hole to 20 blocks less one byte
  t.put(fd, 4 * block, static_cast<std::size_t>(4 * block), {});
  t.must(t->fallocate(fd, 0, 8 * block, 4 * block));
  t.put(fd, 15 * block, static_cast<std::size_t>(block), {});
  const loff_t size = 20 * block - 1;
  t.must(t->ftruncate(fd, size));

  const auto data_from = [&](loff_t at) { return t->lseek(fd, at, SEEK_DATA); };
  const auto hole_from = [&](loff_t at) { return t->lseek(fd, at, SEEK_HOLE); };
  t.expect_answer(data_from(0), 4 * block, "data from 0");
  t.expect_answer(data_from(4 * block + 5), 4 * block + 5, "data from within data");
  t.expect_answer(data_from(8 * block), 15 * block, "data from an unwritten extent");
  t.expect_answer(data_from(12 * block + 1), 15 * block, "data from a hole");
  t.expect_errno(data_from(16 * block), ENXIO);
  t.expect_answer(hole_from(0), 0, "hole from 0");
  t.expect_answer(hole_from(4 * block), 8 * block, "hole from data");
  t.expect_answer(hole_from(9 * block + 3), 9 * block + 3, "hole from within an unwritten extent");
  t.expect_answer(hole_from(15 * block + 1), 16 * block, "hole from the last data");
  t.expect_answer(hole_from(size - 1), size - 1, "hole from the last byte");
  for (const int whence : {SEEK_DATA, SEEK_HOLE}) {
    t.expect_errno(t->lseek(fd, size, whence), ENXIO);
    t.expect_errno(t->lseek(fd, size + block, whence), ENXIO);
    t.expect_errno(t->lseek(fd, -1, whence), ENXIO);
  }
  // Data up to the last byte: the hole is at the end.
  t.must(t->ftruncate(fd, 6 * block + 10));
  t.expect_answer(hole_from(4 * block), 6 * block + 10, "the virtual hole at the end");
  t.expect_answer(t->lseek(fd, 0, SEEK_CUR), 6 * block + 10, "a seek moves the position");
}
