// What: an append that comes while another is in mid-copy lands behind it, whole; so does a write that comes while one is under way.
// Why: the place of an append is chosen under the lock, not before it.
// Groups: auto race append. Needs: nothing.
#include <xip/scenario/user_memory.h>

#include "helpers.h"

XIP_SCENARIO("auto append", "an append during an append") {
  constexpr std::size_t large = 100'000, small = 500;
  for (const bool preallocated : {false, true}) {
    const int fd = t.must(t->open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
    t.put(fd, 0, 100, {.file = 3});
    if (preallocated) t.must(t->fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20));
    std::atomic<bool> half_way{false};
    progress second;
    t.parallel({[&](vfs::task& me) {
                  const int mine = t.must(me.open("file", O_WRONLY | O_APPEND));
                  std::vector<std::byte> data(large);
                  fill(data, 0, {.file = 1});
                  const user_memory_calls pause{me, data.data() + large / 2, [&] {
                                                  half_way = true;
                                                  second.wait_until_ended_or_stuck(t);
                                                }};
                  t.expect_answer(me.write(mine, data.data(), large), large);
                },
                [&](vfs::task& me) {
                  const int mine = t.must(me.open("file", O_WRONLY | O_APPEND));
                  std::vector<std::byte> data(small);
                  fill(data, 0, {.file = 2});
                  wait_for(t, [&] { return half_way.load(); });
                  second.begin(me);
                  t.expect_answer(me.write(mine, data.data(), small), small);
                  second.end();
                }});
    t.expect_equal(t.size_of(fd), 100 + large + small, "the size after both");
    std::vector<std::byte> found(100 + large + small);
    t.expect_answer(t->pread(fd, found.data(), found.size(), 0), found.size());
    t.expect_same(compare(std::span{found}.first(100), 0, {.file = 3}));
    t.expect_same(compare(std::span{found}.subspan(100, large), 0, {.file = 1}));
    t.expect_same(compare(std::span{found}.subspan(100 + large, small), 0, {.file = 2}));
    t.must(t->close(fd));
  }
}
