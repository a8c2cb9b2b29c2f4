// What: everything that is cached is dropped between operations; names, sizes and bytes are the same.
// Why: an inode that was evicted comes back from disk as it was in memory.
// Groups: auto quick. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick", "drop_caches between all operations") {
  t.must(t->mkdir("dir", 0755));
  const int held = t.create("dir/held");
  for (unsigned i = 0; i < 60; ++i) {
    const std::string name = "dir/" + numbered("f", i);
    const int fd = t.create(name);
    t.put(fd, 0, 100 + 137 * i, {.file = 1 + i});
    t.put(held, i * 1000, 1000, {.file = 100});
    t.must(t->close(fd));
    t.kernel().drop_caches();
    const auto s = t.must(t->stat(name));
    t.expect_equal(s.size, 100 + 137 * i, "the size");
    const int again = t.must(t->open(name, O_RDONLY));
    t.kernel().drop_caches();
    t.expect_data(again, 0, 100 + 137 * i, {.file = 1 + i});
    t.must(t->close(again));
    if (i % 3 == 0) t.must(t->unlink(name));
  }
  t.expect_data(held, 0, 60'000, {.file = 100});
  t.expect_equal(t.names_in("dir").size(), 41u, "names");
}
