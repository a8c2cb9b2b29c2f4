// What: a large file, written by 1 MiB and read by odd pieces: few extents, however large the group. Two that grow in turn do not
// lie between each other either.
// Why: goal-directed placement keeps files contiguous, so that windows are long.
// Groups: auto dax. Needs: DAX, feature extent.
#include "helpers.h"

XIP_SCENARIO("auto", "large files are contiguous", .dax = true, .size = 256 * mib, .extents = true) {
  const int fd = t.create("file");
  constexpr loff_t size = 100 << 20, each = 8 << 20, one_write = 1 << 16;
  for (loff_t at = 0; at < size; at += 1 << 20) t.put(fd, at, 1 << 20, {.file = 8});
  t.expect(extents_of(t, fd).size() <= 8, "a file of 100 MiB has few extents: " + std::to_string(extents_of(t, fd).size()));
  for (loff_t at = 0; at < size - 3'000'001; at += 3'000'001) t.expect_data(fd, at, 3'000'001, {.file = 8});
  // What is kept free behind each grows with it, so the number of extents is that of the doublings.
  const int a = t.create("a"), b = t.create("b");
  for (loff_t at = 0; at < each; at += one_write) {
    t.put(a, at, one_write, {.file = 1});
    t.put(b, at, one_write, {.file = 2});
  }
  t.expect_data(a, 0, each, {.file = 1});
  t.expect_data(b, 0, each, {.file = 2});
  for (const int one : {a, b}) {
    const std::size_t extents = extents_of(t, one).size();
    t.expect(extents <= 12, "files that grow in turn have few extents: " + std::to_string(extents));
  }
}
