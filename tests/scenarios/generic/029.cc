// What: the bytes past a new, smaller size never come back, however the file grows again: by truncate, by write, by fallocate.
// Why: the tail of the last block stays in the file and must be zero before i_size passes it. XFS forgot that
// where a write began beyond the end of the file, and old bytes appeared in the middle (Linux c7fc0366c656).
// Groups: auto quick rw. Needs: nothing.
#include "helpers.h"

namespace xip::scenario {
namespace {

// Three blocks of data cut to SIZE, grown by GROW to three blocks again.
void expect_zero_tail(run& t, loff_t size, const char* how, auto&& grow) {
  const loff_t end = 3 * static_cast<loff_t>(t.block_size());
  const int fd = t.must(t->open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
  t.put(fd, 0, static_cast<std::size_t>(end), {.file = 29});
  t.must(t->ftruncate(fd, size));
  grow(fd, end);
  t.expect_equal(t.size_of(fd), end, how);
  t.expect_data(fd, 0, static_cast<std::size_t>(size), {.file = 29});
  t.expect_zeros(fd, size, static_cast<std::size_t>(end - size - 1));
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick rw", "the tail past a truncate stays zero") {
  const loff_t block = t.block_size();
  for (const loff_t size : {loff_t{0}, loff_t{1}, block - 1, block, block + 1, 2 * block + 100}) {
    expect_zero_tail(t, size, "truncate up", [&](int fd, loff_t end) { t.must(t->ftruncate(fd, end)); });
    expect_zero_tail(t, size, "a write of the last byte", [&](int fd, loff_t end) { t.expect_answer(t->pwrite(fd, "", 1, end - 1), 1); });
    expect_zero_tail(t, size, "fallocate", [&](int fd, loff_t end) { t.must(t->fallocate(fd, 0, 0, end)); });
    expect_zero_tail(t, size, "fallocate of the last block", [&](int fd, loff_t end) { t.must(t->fallocate(fd, 0, end - block, block)); });
    expect_zero_tail(t, size, "KEEP_SIZE, then truncate up", [&](int fd, loff_t end) {
      t.must(t->fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, end));
      t.must(t->ftruncate(fd, end));
    });
  }
}
