// What: RWF_NOWAIT. A write is refused (EAGAIN or EINVAL) and changes nothing; a read either answers in full or says EAGAIN.
// Why: a caller that asked not to wait must never sleep on i_rwsem or for an allocation.
// Groups: auto quick rw. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick rw", "RWF_NOWAIT") {
  const int fd = t.create("file");
  const std::size_t block = t.block_size();
  t.put(fd, 0, block, {.file = 9});
  std::vector<std::byte> data(block);
  fill(data, 0, {.file = 9, .generation = 1});
  const iovec one{data.data(), data.size()};
  for (const loff_t at : {loff_t{0}, static_cast<loff_t>(block), static_cast<loff_t>(10 * block)}) {
    const auto wrote = t->pwritev2(fd, &one, 1, at, RWF_NOWAIT);
    t.expect(!wrote, "a write that must not wait is refused");
    t.expect(wrote.error() == EAGAIN || wrote.error() == EINVAL, "the errno is EAGAIN or EINVAL");
  }
  t.expect_equal(t.size_of(fd), block, "the size");
  t.expect_data(fd, 0, block, {.file = 9});

  const auto got = t->preadv2(fd, &one, 1, 0, RWF_NOWAIT);
  if (got) {
    t.expect_equal(*got, block, "bytes read without waiting");
    t.expect_same(compare(data, 0, {.file = 9}));
  } else {
    t.expect_errno(got, EAGAIN);
  }
}
