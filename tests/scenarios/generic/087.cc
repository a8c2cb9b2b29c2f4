// What: a file system of 1 TiB: data at its beginning, middle and end, a file of 900 GiB preallocated and given back.
// Why: block numbers beyond 2^28, eight thousand groups that nobody has touched yet, and extents of the greatest length.
// Groups: load. Needs: a fresh image of 1 TiB, sparse.
#include "helpers.h"

XIP_SCENARIO("load", "1 TiB", .size = 1024 * 1024 * mib, .mkfs = "-b 4096 -m 0 -i 4194304 -O ^has_journal", .extents = true) {
  constexpr loff_t gib = loff_t{1} << 30;
  const std::uint64_t before = free_bytes(t);
  const int large = t.create("large");
  t.must(t->fallocate(large, 0, 0, 900 * gib));
  t.expect(before - free_bytes(t) >= std::uint64_t{900} << 30, "900 GiB are taken");
  for (const loff_t at : {loff_t{0}, 450 * gib - 1000, 900 * gib - 8192}) {
    t.put(large, at, 8192, {.file = 1});
    t.expect_data(large, at, 8192, {.file = 1});
    t.expect_zeros(large, at < gib ? at + 8192 : at - 8192, 8192);
  }
  const int refused = t.create("refused");
  t.expect_errno(t->fallocate(refused, 0, 0, 200 * gib), ENOSPC);
  t.must(t->ftruncate(refused, 0));
  const int sparse = t.create("sparse");
  t.put(sparse, 15 * 1024 * gib, 4096, {.file = 2});
  t.must(t->close(large));
  t.must(t->close(refused));
  t.must(t->close(sparse));
  t.cycle();
  const int again = t.must(t->open("large", O_RDWR));
  t.expect_data(again, 450 * gib - 1000, 8192, {.file = 1});
  const int far = t.must(t->open("sparse", O_RDONLY));
  t.expect_data(far, 15 * 1024 * gib, 4096, {.file = 2});
  t.expect_equal(t.must(t->lseek(far, 0, SEEK_DATA)), 15 * 1024 * gib, "where the sparse file's data begin");
  t.must(t->ftruncate(again, gib));
  t.must(t->close(again));
  t.must(t->close(far));
  for (const char* name : {"large", "refused", "sparse"}) t.must(t->unlink(name));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
