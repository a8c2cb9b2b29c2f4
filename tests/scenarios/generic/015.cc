// What: fill the disk, remove, fill again: each round holds the same, and nothing leaks.
// Why: a freed block is reusable only after the metadata that dropped it is durable; that must not become never.
// Groups: auto enospc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto enospc", "fill, free, fill again") {
  const std::uint64_t before = free_bytes(t);
  std::uint64_t first = 0;
  for (std::uint32_t round = 0; round < 4; ++round) {
    const int fd = t.create("filler");
    const std::uint64_t total = t.fill_up(fd, 0, {.file = 15, .generation = round});
    if (round == 0) first = total;
    t.expect_equal(total, first, "bytes that fit in this round");
    t.expect_data(fd, static_cast<loff_t>(total) - 5000, 5000, {.file = 15, .generation = round});
    t.must(t->close(fd));
    if (round % 2 == 1) t.cycle();
    t.must(t->unlink("filler"));
  }
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
