// What: two readers of one file never wait for each other; two tasks on two files share no i_rwsem.
// Why: parallelism is tested by structure: lockdep counts who had to wait. (Without lockdep in the build there is nothing to count.)
// Groups: auto race locks. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto locks", "readers do not wait for readers", .mount = "noatime") {
  const int fd = t.create("file");
  t.put(fd, 0, 1 << 20, {.file = 4});
  for (unsigned i = 0; i < 2; ++i) t.put(t.create(numbered("own", i)), 0, 1 << 18, {.file = 5 + i});
  const auto before = t.kernel().deps().contentions("i_rwsem");
  t.parallel(2, [&](vfs::task& me, unsigned) {
    const int mine = t.must(me.open("file", O_RDONLY));
    for (unsigned i = 0; i < 300; ++i) t.expect_data(me, mine, i * 1000, 64 * 1024, {.file = 4});
  });
  t.expect_equal(t.kernel().deps().contentions("i_rwsem") - before, 0u, "times a reader waited for the inode's lock");
  t.parallel(2, [&](vfs::task& me, unsigned index) {
    const int mine = t.must(me.open(numbered("own", index), O_RDWR));
    for (unsigned i = 0; i < 300; ++i) t.put(me, mine, i * 100, 64 * 1024, {.file = 5 + index, .generation = i});
  });
  t.expect_equal(t.kernel().deps().contentions("i_rwsem") - before, 0u, "times a writer of another file waited");
}
