// What: a directory is listed in small pieces while names come and go: what stays is listed exactly once.
// Why: positions are cookies that survive changes of the directory.
// Groups: auto dir. Needs: nothing.
#include <map>

#include "helpers.h"

XIP_SCENARIO("auto dir", "getdents while names come and go") {
  t.must(t->mkdir("dir", 0755));
  constexpr unsigned stay = 600;
  for (unsigned i = 0; i < stay; ++i) {
    t.must(t->close(t.create("dir/" + numbered("stays-", i))));
    t.must(t->close(t.create("dir/" + numbered("goes-", i))));
  }
  const int fd = t.must(t->open("dir", O_RDONLY | O_DIRECTORY));
  std::map<std::string, unsigned> seen;
  unsigned changed = 0;
  for (;;) {
    const auto some = t.must(t->getdents(fd, 10));
    if (some.empty()) break;
    for (const auto& e : some) ++seen[e.name];
    if (changed < stay) {
      for (unsigned i = 0; i < 5 && changed < stay; ++i, ++changed) {
        t.must(t->unlink("dir/" + numbered("goes-", changed)));
        t.must(t->close(t.create("dir/" + numbered("comes-", changed))));
      }
    }
  }
  for (unsigned i = 0; i < stay; ++i) t.expect_equal(seen[numbered("stays-", i)], 1u, numbered("how often this was listed: stays-", i));
  for (const auto& [name, times] : seen) t.expect(times <= 1, "listed more than once: " + name);
  t.expect_equal(seen["."], 1u, "how often . was listed");
  t.expect_equal(seen[".."], 1u, "how often .. was listed");
  // From the start again: what is there now.
  t.expect_answer(t->lseek(fd, 0, SEEK_SET), 0);
  std::size_t now = 0;
  for (auto some = t.must(t->getdents(fd)); !some.empty(); some = t.must(t->getdents(fd))) now += some.size();
  t.expect_equal(now, 2u * stay + 2u, "entries from the start");
}
