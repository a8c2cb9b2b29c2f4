// What: fsync, fdatasync and syncfs while others write, extend and create: no error, no deadlock, and all bytes are right at the end.
// Why: write-back waits for handles, and handles must not wait for write-back.
// Groups: auto race sync. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto sync", "sync under load") {
  std::atomic<unsigned> working{2};
  const auto work = [&](vfs::task& me, std::uint32_t who) {
    const int fd = t.must(me.open(numbered("w", who), O_RDWR | O_CREAT, 0644));
    for (std::uint32_t i = 0; i < 200 && !t.stopping(); ++i) {
      t.put(me, fd, i * 5000, 5000, {.file = who});
      t.must(me.close(t.must(me.open(numbered("c", who) + numbered("-", i), O_WRONLY | O_CREAT, 0644))));
    }
    --working;
  };
  t.parallel({[&](vfs::task& me) { work(me, 1); }, [&](vfs::task& me) { work(me, 2); },
              [&](vfs::task& me) {
                const int fd = t.must(me.open("w1", O_RDWR | O_CREAT, 0644));
                for (unsigned i = 0; working != 0 && !t.stopping(); ++i)
                  t.must(i % 3 == 0 ? me.fsync(fd) : i % 3 == 1 ? me.fdatasync(fd) : me.syncfs(fd));
              }});
  t.cycle();
  for (std::uint32_t who = 1; who <= 2; ++who) {
    const int fd = t.must(t->open(numbered("w", who), O_RDONLY));
    t.expect_data(fd, 0, 1'000'000, {.file = who});
    t.must(t->close(fd));
  }
}
