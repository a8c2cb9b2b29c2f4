// What: a directory of 2,000 names is read from every cookie that a first reading gave, after half of the names went and others came: the name that
// followed it then is there still, or was removed; names that stay are found behind each cookie.
// Why: a cookie is a hash and means a place in the order of hashes, whatever happens to blocks (telldir, seekdir; NFS and FUSE keep cookies for hours).
// Groups: auto dir. Needs: nothing.
#include <set>

#include "helpers.h"

XIP_SCENARIO("auto dir", "cookies outlive changes") {
  t.must(t->mkdir("dir", 0755));
  constexpr unsigned count = 2000;
  for (unsigned i = 0; i < count; ++i) t.must(t->close(t.create("dir/" + numbered("n", i))));
  const int fd = t.must(t->open("dir", O_RDONLY | O_DIRECTORY));
  std::vector<vfs::dirent> before;
  for (auto some = t.must(t->getdents(fd, 100)); !some.empty(); some = t.must(t->getdents(fd, 100)))
    before.insert(before.end(), some.begin(), some.end());
  t.expect_equal(before.size(), std::size_t{count + 2}, "names");
  std::set<std::string> gone;
  for (unsigned i = 0; i < count; i += 2) {
    t.must(t->unlink("dir/" + numbered("n", i)));
    gone.insert(numbered("n", i));
    t.must(t->close(t.create("dir/" + numbered("other-", i))));
  }
  const int again = t.must(t->open("dir", O_RDONLY | O_DIRECTORY));
  for (std::size_t at = 1; at + 1 < before.size(); at += 13) {
    std::size_t next = at + 1;
    while (next < before.size() && gone.contains(before[next].name)) ++next;
    if (next == before.size()) break;
    t.expect_answer(t->lseek(again, before[at].off, SEEK_SET), before[at].off);
    bool found = false;
    for (auto some = t.must(t->getdents(again, 64)); !found && !some.empty(); some = t.must(t->getdents(again, 64)))
      for (const auto& e : some) {
        t.expect(e.name != before[at].name, "what is before the cookie is not read again: " + e.name);
        if (e.name == before[next].name) {
          found = true;
          break;
        }
      }
    t.expect(found, "the next name that stays is found behind the cookie: " + before[next].name);
  }
}
