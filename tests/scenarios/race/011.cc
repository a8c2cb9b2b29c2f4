// What: files are unlinked while others have them open and read on; new files take their names and, later, their blocks.
// Why: the last close frees, whoever makes it, while allocation runs next to it.
// Groups: auto race unlink. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto unlink", "readers of unlinked files") {
  const std::uint64_t before = free_bytes(t);
  t.parallel(4, [&](vfs::task& me, unsigned index) {
    for (unsigned i = 0; i < 60 && !t.stopping(); ++i) {
      const std::string name = numbered("f", index);
      const stamp who{.file = 1 + index, .generation = i};
      const int fd = t.must(me.open(name, O_RDWR | O_CREAT | O_EXCL, 0644));
      t.put(me, fd, 0, 50'000, who);
      t.must(me.unlink(name));
      t.expect_data(me, fd, 0, 50'000, who);
      t.put(me, fd, 50'000, 50'000, who);
      t.expect_data(me, fd, 0, 100'000, who);
      t.must(me.close(fd));
    }
  });
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
