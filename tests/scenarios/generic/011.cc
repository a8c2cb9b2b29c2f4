// What: user memory that ends in mid-call: the count is what arrived, the rest is untouched, EFAULT only when nothing arrived.
// Why: the XIP of 2013 lost the bytes that had arrived before a fault; a write must not publish bytes it never got.
// Groups: auto quick rw errors. Needs: nothing.
#include <algorithm>

#include <xip/scenario/user_memory.h>

#include "helpers.h"

XIP_SCENARIO("auto quick rw errors", "partial copies count what arrived") {
  const int fd = t.create("file");
  const std::size_t size = 10 * 4096;
  std::vector<std::byte> data(size);
  fill(data, 0, {.file = 11});
  for (const std::size_t good : {std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{5000}, std::size_t{20000}}) {
    t.must(t->ftruncate(fd, 0));
    std::size_t wrote = 0;
    {
      const user_memory_ends end{t.task(), data.data() + good};
      wrote = t.must(t->pwrite(fd, data.data(), size, 0));
    }
    t.expect(wrote <= good && wrote != 0, "a write moves what is there, and not more");
    t.expect_equal(t.size_of(fd), wrote, "the size is what was written");
    t.expect_data(fd, 0, wrote, {.file = 11});
  }
  t.must(t->ftruncate(fd, 0));
  t.put(fd, 0, size, {.file = 11});
  std::vector<std::byte> to(size, std::byte{0xee});
  for (const std::size_t good : {std::size_t{1}, std::size_t{4096}, std::size_t{5000}}) {
    std::ranges::fill(to, std::byte{0xee});
    std::size_t got = 0;
    {
      const user_memory_ends end{t.task(), to.data() + good};
      got = t.must(t->pread(fd, to.data(), size, 0));
    }
    t.expect(got <= good && got != 0, "a read moves what has room, and not more");
    t.expect_same(compare(std::span{to}.first(got), 0, {.file = 11}));
    t.expect(std::ranges::all_of(std::span{to}.subspan(good), [](std::byte b) { return b == std::byte{0xee}; }),
             "memory behind the end is untouched");
  }
  const user_memory_ends none{t.task(), to.data()};
  t.expect_errno(t->pread(fd, to.data(), size, 0), EFAULT);
  t.expect_answer(t->pread(fd, to.data(), 0, 0), 0, "an empty read");
}
