// What: a truncate that comes while a read is in mid-copy takes effect after it: the read returns all of the old bytes, though others are waiting
// for the blocks.
// Why: the race of the 2013 review, made to happen: a read without the lock goes on in freed blocks, or stops short.
// Groups: auto race rw. Needs: nothing.
#include <xip/scenario/user_memory.h>

#include "helpers.h"

XIP_SCENARIO("auto rw", "a truncate during a read") {
  constexpr std::size_t size = 1 << 20;
  for (const loff_t smaller : {loff_t{0}, loff_t{4096}, loff_t{700'000}}) {
    const int fd = t.must(t->open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    t.put(fd, 0, size, {.file = 1});
    std::atomic<bool> half_way{false};
    progress cutter;
    t.parallel({[&](vfs::task& me) {
                  const int mine = t.must(me.open("file", O_RDONLY));
                  std::vector<std::byte> data(size);
                  const user_memory_calls pause{me, data.data() + size / 2, [&] {
                                                  half_way = true;
                                                  cutter.wait_until_ended_or_stuck(t);
                                                }};
                  t.expect_answer(me.pread(mine, data.data(), size, 0), size, "bytes of a read that began before the truncate");
                  t.expect_same(compare(data, 0, {.file = 1}));
                },
                [&](vfs::task& me) {
                  const int mine = t.must(me.open("file", O_RDWR));
                  wait_for(t, [&] { return half_way.load(); });
                  cutter.begin(me);
                  t.must(me.ftruncate(mine, smaller));
                  t.must(me.syncfs(mine));
                  const int other = t.must(me.open("other", O_RDWR | O_CREAT | O_TRUNC, 0644));
                  t.put(me, other, 0, size, {.file = 2});
                  cutter.end();
                }});
    t.expect_equal(t.size_of(fd), smaller, "the size after both");
    t.must(t->close(fd));
  }
}
