// What: an extending write that fails leaves i_size alone, and no block behind.
// Why: ext4-dax of Linux 6.1 takes the error for a count when it updates the size: with an unreadable buffer a file is then 14 bytes (EFAULT)
// shorter than the offset of the write.
// Groups: auto quick rw errors. Needs: nothing.
#include <xip/scenario/user_memory.h>

#include "helpers.h"

XIP_SCENARIO("auto quick rw errors", "a failed extending write leaves the size") {
  const int fd = t.create("file");
  t.put(fd, 0, 100, {.file = 10});
  const auto blocks_before = t.must(t->fstat(fd)).blocks;
  std::vector<std::byte> data(65536);
  for (const loff_t at : {loff_t{100}, loff_t{65536}, loff_t{1} << 30}) {
    const user_memory_ends nothing_there{t.task(), data.data()};
    t.expect_errno(t->pwrite(fd, data.data(), data.size(), at), EFAULT);
  }
  t.expect_equal(t.size_of(fd), 100, "the size");
  t.expect_data(fd, 0, 100, {.file = 10});
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDWR));
  t.expect_equal(t.size_of(again), 100, "the size after a new mount");
  t.expect(t.must(t->fstat(again)).blocks <= blocks_before + 2 * t.block_size() / 512, "no blocks are left beyond the end");
}
