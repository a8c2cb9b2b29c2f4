// What: write and read back at sizes and offsets around block and page borders.
// Why: every off-by-one of a copy loop lives there.
// Groups: auto quick rw. Needs: nothing.
#include <algorithm>

#include "helpers.h"

XIP_SCENARIO("auto quick rw", "sizes and offsets around block borders") {
  const loff_t block = t.block_size();
  const std::vector<loff_t> near{0, 1, 7, 8, 511, 512, block - 1, block, block + 1, 2 * block - 1, 2 * block, 3 * block + 7, 65536, 65537};
  std::uint32_t generation = 0;
  for (const loff_t offset : near)
    for (const loff_t bytes : near) {
      const int fd = t.must(t->open("file", O_RDWR | O_CREAT | O_TRUNC, 0644));
      const stamp who{.file = 3, .generation = ++generation};
      t.put(fd, offset, static_cast<std::size_t>(bytes), who);
      t.expect_equal(t.size_of(fd), bytes == 0 ? 0 : offset + bytes, "the size");
      if (bytes != 0) {
        t.expect_data(fd, offset, static_cast<std::size_t>(bytes), who);
        t.expect_zeros(fd, 0, static_cast<std::size_t>(offset));
      }
      // A read across the end is short by exactly what is not there.
      std::vector<std::byte> buffer(static_cast<std::size_t>(bytes) + 100);
      t.expect_answer(t->pread(fd, buffer.data(), buffer.size(), offset), bytes, "bytes read across the end");
      t.must(t->close(fd));
    }
}
