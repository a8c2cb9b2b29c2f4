// What: 64 tasks at once, each with a random tree of its own against a model, and all with the names of one directory.
// Why: many tasks share group descriptors, bitmaps, inode tables and one busy directory; none may see or break another's part.
// Groups: auto load fsstress dir. Needs: 256 MiB.
#include <xip/scenario/models.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr unsigned tasks = 64;
constexpr unsigned steps = 200;

// Makes, moves and removes names that others do the same with; whichever comes first wins, the other gets an errno that says so.
void contend(run& t, vfs::task& me, random_source& chance) {
  const std::string a = numbered("shared/name-", chance.below(40)), b = numbered("shared/name-", chance.below(40));
  switch (chance.below(4)) {
    case 0: {
      const auto fd = me.open(a, O_RDWR | O_CREAT | O_EXCL, 0644);
      if (fd) t.must(me.close(*fd));
      t.expect(fd || fd.error() == EEXIST, "a name was made, or was there");
      break;
    }
    case 1: {
      const auto renamed = me.rename(a, b);
      t.expect(renamed || renamed.error() == ENOENT, "a name was moved, or was not there");
      break;
    }
    case 2: {
      const auto linked = me.link(a, b);
      t.expect(linked || linked.error() == ENOENT || linked.error() == EEXIST,
               "a name was doubled, or the one was not there, or the other was");
      break;
    }
    default: {
      const auto removed = me.unlink(a);
      t.expect(removed || removed.error() == ENOENT, "a name was removed, or was not there");
    }
  }
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto load fsstress dir", "64 tasks", .size = 256 * mib) {
  // The directory at the top keeps the blocks that it grows by, and with small blocks these names take more than one.
  for (unsigned i = 0; i < tasks; ++i) t.must(t->mkdir(numbered("tree-", i), 0755));
  for (unsigned i = 0; i < tasks; ++i) t.must(t->rmdir(numbered("tree-", i)));
  t.must(t.kernel().sync());
  const std::uint64_t before = free_bytes(t);
  t.must(t->mkdir("shared", 0755));
  std::vector<tree_model> trees;
  for (unsigned i = 0; i < tasks; ++i) trees.emplace_back(t, numbered("tree-", i), t.random(i));
  t.parallel(tasks, [&](vfs::task& me, unsigned i) {
    random_source chance = t.random(1000 + i);
    trees[i].make_root(me);
    for (unsigned n = 0; n < steps && !t.stopping(); ++n) {
      trees[i].step(me);
      contend(t, me, chance);
    }
    trees[i].verify(me);
  });
  t.cycle();
  for (tree_model& tree : trees) tree.verify(t.task());
  t.parallel(tasks, [&](vfs::task& me, unsigned i) { trees[i].remove_all(me); });
  for (const std::string& name : t.names_in("shared")) t.must(t->unlink("shared/" + name));
  t.must(t->rmdir("shared"));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
