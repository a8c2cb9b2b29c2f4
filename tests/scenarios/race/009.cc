// What: many tasks create, remove and look up the same few names: each answer is one that some order allows; link counts end right.
// Why: negative and positive entries, O_EXCL and unlink meet in the same dentries.
// Groups: auto race dir. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto dir", "the same names by many tasks") {
  constexpr unsigned names = 3;
  t.must(t->mkdir("dir", 0755));
  std::atomic<int> balance[names] = {};
  t.parallel(4, [&](vfs::task& me, unsigned index) {
    auto chance = t.random(index);
    for (unsigned i = 0; i < 1000 && !t.stopping(); ++i) {
      const auto which = static_cast<unsigned>(chance.below(names));
      const std::string name = "dir/" + numbered("n", which);
      switch (chance.below(3)) {
        case 0: {
          const auto fd = me.open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
          if (fd) {
            ++balance[which];
            t.must(me.close(*fd));
          } else {
            t.expect_errno(fd, EEXIST);
          }
          break;
        }
        case 1: {
          const auto gone = me.unlink(name);
          if (gone)
            --balance[which];
          else
            t.expect_errno(gone, ENOENT);
          break;
        }
        default: {
          const auto there = me.stat(name);
          if (there)
            t.expect(there->nlink <= 1, "the number of links");
          else
            t.expect_errno(there, ENOENT);
        }
      }
    }
  });
  std::size_t left = 0;
  for (unsigned i = 0; i < names; ++i) {
    const int now = balance[i];
    t.expect(now == 0 || now == 1, "creations and removals alternate");
    t.expect_equal(t->stat("dir/" + numbered("n", i)).has_value(), now == 1, "the name is there");
    left += static_cast<std::size_t>(now);
  }
  t.expect_equal(t.names_in("dir").size(), left, "names left");
}
