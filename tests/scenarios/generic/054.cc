// What: fsstress: 3,000 random operations on a tree of files and directories against a model, with mounts in between.
// Why: names, inodes and blocks come and go together; at the end everything is removed and all space is back.
// Groups: auto fsstress dir. Needs: nothing.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto fsstress dir", "a random tree") {
  const std::uint64_t before = free_bytes(t);
  tree_model tree{t, "tree", t.random()};
  tree.make_root(t.task());
  for (unsigned i = 0; i < 3000; ++i) {
    tree.step(t.task());
    if (i % 700 == 699) {
      t.cycle();
      tree.verify(t.task());
    }
  }
  tree.verify(t.task());
  tree.remove_all(t.task());
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
