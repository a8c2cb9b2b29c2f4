// What: four tasks make 400 files each in one directory, while it grows and splits; all are there, none is anybody else's.
// Why: names are added under the directory's lock, numbers and blocks under none of it.
// Groups: auto race dir. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto dir", "creation by four tasks") {
  constexpr unsigned tasks = 4, files = 400;
  t.must(t->mkdir("dir", 0755));
  t.parallel(tasks, [&](vfs::task& me, unsigned index) {
    for (unsigned i = 0; i < files; ++i) {
      const int fd = t.must(me.open("dir/" + numbered("task-", index) + numbered("-file-", i), O_RDWR | O_CREAT | O_EXCL, 0644));
      t.put(me, fd, 0, 200, {.file = 1 + index * files + i});
      t.must(me.close(fd));
    }
  });
  t.cycle();
  t.expect_equal(t.names_in("dir").size(), tasks * files, "names");
  for (unsigned index = 0; index < tasks; ++index)
    for (unsigned i = 0; i < files; ++i) {
      const int fd = t.must(t->open("dir/" + numbered("task-", index) + numbered("-file-", i), O_RDONLY));
      t.expect_data(fd, 0, 200, {.file = 1 + index * files + i});
      t.must(t->close(fd));
    }
}
