// What: remount to read-only and back while tasks write: each write succeeds or is refused, remount succeeds or is EBUSY, nothing hangs.
// Why: writers and the remount meet at the same counter.
// Groups: auto race mount. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto mount", "remount against writers") {
  std::atomic<unsigned> working{2};
  const auto work = [&](vfs::task& me, std::uint32_t who) {
    for (unsigned i = 0; i < 200 && !t.stopping(); ++i) {
      const auto fd = me.open(numbered("f", who), O_RDWR | O_CREAT, 0644);
      if (!fd) {
        t.expect_errno(fd, EROFS);
        continue;
      }
      t.put(me, *fd, i * 100, 5000, {.file = who});
      t.must(me.close(*fd));
    }
    --working;
  };
  t.parallel({[&](vfs::task& me) { work(me, 1); }, [&](vfs::task& me) { work(me, 2); },
              [&](vfs::task&) {
                for (unsigned i = 0; working != 0 && !t.stopping(); ++i) {
                  const auto answer = t.kernel().remount("/", i % 2 == 0 ? "ro" : "rw");
                  t.expect(answer.has_value() || answer.error().code == EBUSY, "remount succeeds or is busy");
                }
                const auto last = t.kernel().remount("/", "rw");
                t.expect(last.has_value(), "the last remount succeeds");
              }});
  t.must(t->close(t.create("after")));
}
