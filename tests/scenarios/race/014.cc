// What: a directory is listed again and again while two tasks add and remove names: what stays is listed exactly once, every time.
// Why: iterate under the shared lock, between pieces under none.
// Groups: auto race dir. Needs: nothing.
#include <atomic>
#include <map>

#include "helpers.h"

XIP_SCENARIO("auto dir", "listing while names come and go") {
  constexpr unsigned stay = 200;
  t.must(t->mkdir("dir", 0755));
  for (unsigned i = 0; i < stay; ++i) t.must(t->close(t.create("dir/" + numbered("stays-", i))));
  std::atomic<unsigned> changing{2};
  const auto change = [&](vfs::task& me, const char* prefix) {
    for (unsigned i = 0; i < 600 && !t.stopping(); ++i) {
      t.must(me.close(t.must(me.open("dir/" + numbered(prefix, i), O_WRONLY | O_CREAT, 0644))));
      if (i >= 40) t.must(me.unlink("dir/" + numbered(prefix, i - 40)));
    }
    --changing;
  };
  t.parallel({[&](vfs::task& me) { change(me, "x"); }, [&](vfs::task& me) { change(me, "some-longer-name-"); },
              [&](vfs::task& me) {
                while (changing != 0 && !t.stopping()) {
                  const int fd = t.must(me.open("dir", O_RDONLY | O_DIRECTORY));
                  std::map<std::string, unsigned> seen;
                  for (auto some = t.must(me.getdents(fd, 16)); !some.empty(); some = t.must(me.getdents(fd, 16)))
                    for (const auto& e : some) ++seen[e.name];
                  for (unsigned i = 0; i < stay; ++i)
                    t.expect_equal(seen[numbered("stays-", i)], 1u, numbered("how often this was listed: stays-", i));
                  t.must(me.close(fd));
                }
              }});
}
