// What: 100 bytes written into a large unwritten extent turn exactly the blocks they touch into written ones.
// Why: real ext4 writes small neighbours out as zeros; a tree that is split exactly is what we promise, and the rest of the block is zeros.
// Groups: auto quick rw prealloc extents. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

void expect_split(run& t, const char* name, loff_t size, loff_t at, std::size_t bytes) {
  const int fd = t.create(name);
  const loff_t block = t.block_size();
  t.must(t->fallocate(fd, 0, 0, size));
  t.put(fd, at, bytes, {.file = 4});
  const loff_t first = at / block * block;
  const loff_t end = (at + static_cast<loff_t>(bytes) + block - 1) / block * block;
  loff_t written_from = -1, written_to = -1;
  for (const auto& e : extents_of(t, fd)) {
    if (is_unwritten(e)) continue;
    t.expect(written_from == -1 || written_to == e.logical, "the written blocks are next to each other");
    if (written_from == -1) written_from = e.logical;
    written_to = e.logical + static_cast<loff_t>(e.length);
  }
  t.expect_equal(written_from, first, "the first written byte");
  t.expect_equal(written_to, end, "the end of what is written");
  t.expect_zeros(fd, 0, static_cast<std::size_t>(at));
  t.expect_data(fd, at, bytes, {.file = 4});
  t.expect_zeros(fd, at + static_cast<loff_t>(bytes), static_cast<std::size_t>(size - at) - bytes);
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick rw prealloc extents", "a write splits an unwritten extent exactly") {
  expect_split(t, "small", 64 * 1024, 5000, 100);
  expect_split(t, "large", 1 << 20, 500'000, 100);
  expect_split(t, "start", 1 << 20, 0, 100);
  expect_split(t, "end", 1 << 20, (1 << 20) - 100, 100);
  expect_split(t, "across", 1 << 20, 8 * t.block_size() - 50, 100);
  expect_split(t, "all", 64 * 1024, 0, 64 * 1024);
}
