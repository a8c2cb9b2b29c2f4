// What: many unlinked, open files at once, of all sizes; the file system is unmounted after they were closed in another order.
// Why: the orphan list is a chain through inodes: removal from its head, middle and end.
// Groups: auto unlink. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto unlink", "many orphans") {
  const std::uint64_t before = free_bytes(t);
  std::vector<int> open;
  for (unsigned i = 0; i < 200; ++i) {
    const std::string name = numbered("f", i);
    open.push_back(t.create(name));
    t.put(open.back(), 0, 1 + i * 97 % 20'000, {.file = 1 + i});
    t.must(t->unlink(name));
  }
  auto chance = t.random();
  while (!open.empty()) {
    const std::size_t which = chance.below(open.size());
    if (open.size() % 3 == 0) t.must(t->ftruncate(open[which], 5000));
    t.must(t->close(open[which]));
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
  }
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes after the last close");
}
