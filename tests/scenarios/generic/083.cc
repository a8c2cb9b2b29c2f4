// What: files without a name: some get one, most are closed; after a new mount the former are there and the latter have left nothing.
// Why: such a file is on the orphan list from the first handle on, and leaves it with its first name.
// Groups: auto quick tmpfile. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick tmpfile", "files without names") {
  const auto free = t.must(t->statfs("."));
  for (unsigned round = 0; round < 40; ++round) {
    const int fd = t.must(t->open(".", O_TMPFILE | O_RDWR, 0600));
    t.put(fd, 0, 10'000, {.file = round});
    t.expect_equal(t.must(t->fstat(fd)).nlink, 0u, "links");
    if (round % 4 == 0) t.must(t->linkat(fd, "", AT_FDCWD, numbered("kept-", round), AT_EMPTY_PATH));
    t.must(t->close(fd));
  }
  t.cycle();
  for (unsigned round = 0; round < 40; round += 4) {
    const int fd = t.must(t->open(numbered("kept-", round), O_RDONLY));
    t.expect_data(fd, 0, 10'000, {.file = round});
    t.must(t->close(fd));
    t.must(t->unlink(numbered("kept-", round)));
  }
  t.cycle();
  t.expect_equal(t.must(t->statfs(".")).ffree, free.ffree, "free inodes");
}
