// What: a large, contiguous file, written by 1 MiB and read by odd pieces; few extents, however large the group.
// Why: goal-directed placement keeps files contiguous, so that windows are long.
// Groups: auto dax. Needs: DAX.
#include "helpers.h"

XIP_SCENARIO("auto", "large files are contiguous", .dax = true, .size = 256 * mib) {
  const int fd = t.create("file");
  constexpr loff_t size = 100 << 20;
  for (loff_t at = 0; at < size; at += 1 << 20) t.put(fd, at, 1 << 20, {.file = 8});
  t.expect(extents_of(t, fd).size() <= 8, "a file of 100 MiB has few extents: " + std::to_string(extents_of(t, fd).size()));
  for (loff_t at = 0; at < size - 3'000'001; at += 3'000'001) t.expect_data(fd, at, 3'000'001, {.file = 8});
  // Two files that grow in turn do not shred each other.
  const int a = t.create("a"), b = t.create("b");
  for (loff_t at = 0; at < 8 << 20; at += 1 << 16) {
    t.put(a, at, 1 << 16, {.file = 1});
    t.put(b, at, 1 << 16, {.file = 2});
  }
  t.expect_data(a, 0, 8 << 20, {.file = 1});
  t.expect_data(b, 0, 8 << 20, {.file = 2});
}
