// What: a random tree on many small block groups, nearly full.
// Why: allocation that has to leave its group, groups that were never used (uninitialised bitmaps), and ENOSPC anywhere.
// Groups: auto fsstress groups. Needs: a fresh image of its own geometry.
#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto fsstress groups", "many small groups", .mkfs = "-b 4096 -g 1024 -N 4096") {
  const int filler = t.create("filler");
  const std::uint64_t total = t.fill_up(filler, 0, {.file = 55});
  t.must(t->ftruncate(filler, static_cast<loff_t>(total) - 12 * static_cast<loff_t>(mib)));
  t.must(t->syncfs(filler));
  tree_model tree{t, "tree", t.random()};
  tree.make_root(t.task());
  for (unsigned i = 0; i < 1500; ++i) tree.step(t.task());
  t.must(t->close(filler));
  t.cycle();
  tree.verify(t.task());
  const int again = t.must(t->open("filler", O_RDONLY));
  for (loff_t at = 0; at < static_cast<loff_t>(total) - 14 * static_cast<loff_t>(mib); at += 5 * static_cast<loff_t>(mib))
    t.expect_data(again, at, mib, {.file = 55});
}
