// What: names that were looked up in vain appear when another task makes them, and disappear when it removes them.
// Why: negative entries in the cache must not outlive the truth.
// Groups: auto quick dir. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick dir", "negative lookups do not last") {
  const auto other = t.new_task();
  t.must(t->mkdir("dir", 0755));
  for (unsigned i = 0; i < 200; ++i) {
    const std::string name = "dir/" + numbered("n", i % 7);
    t.expect_errno(t->stat(name), ENOENT);
    t.expect_errno(other->open(name, O_RDONLY), ENOENT);
    if (i % 2 == 0)
      t.must(other->close(t.must(other->open(name, O_WRONLY | O_CREAT | O_EXCL, 0644))));
    else
      t.must(other->mkdir(name, 0755));
    t.must(t->stat(name));
    if (i % 5 == 0) t.kernel().drop_caches();
    t.must(i % 2 == 0 ? t->unlink(name) : t->rmdir(name));
    t.expect_errno(other->stat(name), ENOENT);
  }
  // Below a directory that went and came back.
  t.expect_errno(t->stat("gone/x"), ENOENT);
  t.must(t->mkdir("gone", 0755));
  t.expect_errno(t->stat("gone/x"), ENOENT);
  t.must(t->close(t.create("gone/x")));
  t.must(t->stat("gone/x"));
}
