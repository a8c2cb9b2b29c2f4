// What: a file that replaces another by rename has its own contents under the new name, also after the next mount.
// Why: programs save their files this way.
// Groups: auto quick. Needs: nothing.
#include <xip/scenario/scenario.h>

XIP_SCENARIO("auto quick", "a file replaced by rename") {
  t.put(t.create("old"), 0, 10'000, {.file = 1});
  t.put(t.create("new"), 0, 5'000, {.file = 2});
  t.must(t->rename("new", "old"));
  t.cycle();
  const int fd = t.must(t->open("old", O_RDONLY));
  t.expect_equal(t.size_of(fd), 5'000);
  t.expect_data(fd, 0, 5'000, {.file = 2});
  t.expect_errno(t->stat("new"), ENOENT);
}
