// What: an unlinked file that is open keeps its bytes until the last descriptor goes; then its space comes back.
// Why: the orphan that a close frees. A new file of the same name is another file.
// Groups: auto quick unlink. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick unlink", "unlink while open") {
  const std::uint64_t before = free_bytes(t);
  const int fd = t.create("file");
  t.put(fd, 0, 1 << 20, {.file = 25});
  const int second = t.must(t->open("file", O_RDONLY));
  const auto number = t.must(t->fstat(fd)).ino;
  t.must(t->unlink("file"));
  t.expect_errno(t->stat("file"), ENOENT);
  t.expect_equal(t.must(t->fstat(fd)).nlink, 0u, "links of the unlinked file");
  const int other = t.create("file");
  t.expect(t.must(t->fstat(other)).ino != number, "the number is still in use");
  t.put(other, 0, 1 << 20, {.file = 26});
  t.put(fd, 1 << 20, 1 << 20, {.file = 25});
  t.must(t->ftruncate(fd, 3 << 19));
  t.must(t->close(fd));
  t.expect_data(second, 0, 3 << 19, {.file = 25});
  t.must(t->fsync(second));
  t.must(t->close(second));
  t.expect_data(other, 0, 1 << 20, {.file = 26});
  t.must(t->close(other));
  t.must(t->unlink("file"));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
