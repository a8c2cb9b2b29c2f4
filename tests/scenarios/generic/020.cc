// What: the holes of a fragmented file are filled: neighbours merge, and the tree shrinks where blocks are contiguous.
// Why: merging with the left, the right and both sides; the data stays what it was.
// Groups: auto quick extents. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick extents", "filling holes merges extents") {
  const loff_t block = t.block_size();
  const int fd = t.create("file");
  constexpr loff_t count = 400;
  t.must(t->fallocate(fd, 0, 0, 2 * count * block));
  for (loff_t i = 0; i < count; ++i) t.put(fd, 2 * i * block, static_cast<std::size_t>(block), {.file = 20});
  const std::size_t fragmented = extents_of(t, fd).size();
  t.expect(fragmented >= 2 * static_cast<std::size_t>(count), "written and unwritten alternate");
  for (loff_t i = 0; i < count; ++i) t.put(fd, (2 * i + 1) * block, static_cast<std::size_t>(block), {.file = 20});
  const std::size_t merged = extents_of(t, fd).size();
  t.expect(merged <= 8, "what lies next to each other is one extent");
  t.expect_equal(count_extents(t, fd).unwritten, 0u, "unwritten bytes");
  t.expect_data(fd, 0, static_cast<std::size_t>(2 * count * block), {.file = 20});
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 0, static_cast<std::size_t>(2 * count * block), {.file = 20});
}
