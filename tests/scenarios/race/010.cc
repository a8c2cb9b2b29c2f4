// What: O_CREAT | O_EXCL of one name by four tasks: exactly one wins, each round.
// Why: lock files are built on it.
// Groups: auto quick race dir. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto quick dir", "one winner of O_EXCL") {
  for (unsigned round = 0; round < 100; ++round) {
    std::atomic<unsigned> winners{0};
    t.parallel(4, [&](vfs::task& me, unsigned) {
      const auto fd = me.open("lock", O_WRONLY | O_CREAT | O_EXCL, 0644);
      if (fd)
        ++winners;
      else
        t.expect_errno(fd, EEXIST);
    });
    t.expect_equal(winners.load(), 1u, "winners");
    t.must(t->unlink("lock"));
  }
}
