// What: four random trees side by side, each with a model of its own, and syncs of everything in between.
// Why: allocators, caches and write-back under load; whatever one task does, no other may notice.
// Groups: auto race fsstress. Needs: nothing.
#include <memory>

#include <xip/scenario/models.h>

#include "helpers.h"

XIP_SCENARIO("auto fsstress", "four random trees") {
  std::vector<std::unique_ptr<tree_model>> trees;
  for (unsigned i = 0; i < 4; ++i) trees.push_back(std::make_unique<tree_model>(t, numbered("tree", i), t.random(i)));
  t.parallel(4, [&](vfs::task& me, unsigned index) {
    tree_model& tree = *trees[index];
    tree.make_root(me);
    for (unsigned i = 0; i < 700 && !t.stopping(); ++i) {
      tree.step(me);
      if (index == 0 && i % 100 == 99) t.must(t.kernel().sync());
      if (index == 1 && i % 150 == 149) t.kernel().drop_caches();
    }
    tree.verify(me);
  });
  t.cycle();
  for (auto& tree : trees) tree->verify(t.task());
}
