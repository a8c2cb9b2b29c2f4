// What: while a read of a file is in mid-copy another task reads the same file to its end: readers do not wait for readers. And tasks on two files
// share no inode lock, which lockdep counts.
// Why: parallelism is tested by structure, not by time: were the lock exclusive, the second read would have to wait for the first, which waits for it.
// Groups: auto race locks. Needs: nothing.
#include <xip/locks/wait_queue.h>
#include <xip/scenario/user_memory.h>

#include "helpers.h"

XIP_SCENARIO("auto locks", "readers do not wait for readers", .mount = "noatime") {
  constexpr std::size_t size = 1 << 20;
  const int fd = t.create("file");
  t.put(fd, 0, size, {.file = 4});
  for (unsigned i = 0; i < 2; ++i) t.put(t.create(numbered("own", i)), 0, 1 << 18, {.file = 5 + i});
  const auto before = t.kernel().deps().contentions("i_rwsem");
  completion half_way;
  std::atomic<bool> done{false};
  t.parallel({[&](vfs::task& me) {
                const int mine = t.must(me.open("file", O_RDONLY));
                std::vector<std::byte> data(size);
                const user_memory_calls pause{me, data.data() + size / 2, [&] {
                                                half_way.complete_all();
                                                while (!done && t.kernel().deps().contentions("i_rwsem") == before) {
                                                }
                                              }};
                t.expect_answer(me.pread(mine, data.data(), size, 0), size);
                t.expect_same(compare(data, 0, {.file = 4}));
              },
              [&](vfs::task& me) {
                const int mine = t.must(me.open("file", O_RDONLY));
                half_way.wait();
                t.expect_data(me, mine, 0, size, {.file = 4});
                done = true;
              }});
  t.expect_equal(t.kernel().deps().contentions("i_rwsem") - before, 0u, "times a reader waited for the inode's lock");
  t.parallel(2, [&](vfs::task& me, unsigned index) {
    const int mine = t.must(me.open(numbered("own", index), O_RDWR));
    for (unsigned i = 0; i < 300; ++i) t.put(me, mine, i * 100, 64 * 1024, {.file = 5 + index, .generation = i});
  });
  t.expect_equal(t.kernel().deps().contentions("i_rwsem") - before, 0u, "times a writer of another file waited");
}
