// What: MAP_SYNC and msync, where they are taken and where they are refused.
// Why: a program that relies on MAP_SYNC must be refused where it is not kept, and one that asks for flags that nobody knows, too (Linux 1c9725974074; xfstests
// generic/470).
// Groups: auto quick mmap sync. Needs: DAX.
#include "helpers.h"
#include "mapping_helpers.h"

XIP_SCENARIO("auto quick mmap sync", "MAP_SYNC and msync", .dax = true) {
  const loff_t block = t.block_size();
  const auto bytes = static_cast<std::size_t>(4 * block);
  const int fd = t.create("file");
  t.must(t->ftruncate(fd, 4 * block));
  const auto map_sync = [&](int flags) { return mm::mmap(t.task(), 0, bytes, PROT_READ | PROT_WRITE, flags, fd, 0); };
  t.expect_errno(map_sync(MAP_SHARED_VALIDATE | (1 << 30)), EOPNOTSUPP);
  if (!t.device().synchronous()) {
    const auto refused = map_sync(MAP_SHARED_VALIDATE | MAP_SYNC);
    t.expect(!refused && refused.error() == EOPNOTSUPP, "a device that keeps stores elsewhere takes no MAP_SYNC");
  } else {
    const user_address at = t.must(map_sync(MAP_SHARED_VALIDATE | MAP_SYNC));
    expect_store(t, t.task(), at + block, 6);
    t.expect(mm::persist(t.task(), at + block, 8).has_value(), "what was stored can be flushed");
    expect_word(t, t.task(), fd, block, at + block, 6);
    t.must(mm::munmap(t.task(), at, bytes));
  }
  const user_address at = map_file(t, t.task(), fd, bytes);
  expect_store(t, t.task(), at + 2 * block, 7);
  t.must(mm::msync(t.task(), at, bytes, MS_SYNC));
  t.must(mm::msync(t.task(), at + block, 1, MS_ASYNC));
  t.must(mm::msync(t.task(), at, 0, MS_SYNC));
  t.expect_errno(mm::msync(t.task(), at, bytes, MS_SYNC | MS_ASYNC), EINVAL);
  t.expect_errno(mm::msync(t.task(), at + 1, bytes, MS_SYNC), EINVAL);
  t.must(mm::munmap(t.task(), at + block, static_cast<std::size_t>(block)));
  t.expect_errno(mm::msync(t.task(), at, bytes, MS_SYNC), ENOMEM);
  t.must(mm::munmap(t.task(), at, bytes));
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_equal(read_word(t, t.task(), again, 2 * block), 7u, "what was stored, after a new mount");
}
