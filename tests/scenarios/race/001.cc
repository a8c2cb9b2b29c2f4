// What: 1 MiB reads race truncates: each count is the exact size at some instant, and no byte is stale or foreign.
// Why: the review of 2013: a read that holds no lock races with truncate. i_rwsem makes reads atomic against truncates and writes.
// Groups: auto race rw. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto rw", "reads racing truncates and writes") {
  constexpr std::size_t large = 1 << 20, small = 100'001;
  const int shared = t.create("file");
  t.put(shared, 0, large, {.file = 1, .generation = 0});
  std::atomic<bool> done{false};
  const auto reader = [&](vfs::task& me) {
    const int fd = t.must(me.open("file", O_RDONLY));
    std::vector<std::byte> data(large + 4096);
    while (!done && !t.stopping()) {
      std::ranges::fill(data, std::byte{0xee});
      const std::size_t got = t.must(me.pread(fd, data.data(), data.size(), 0));
      t.expect(got == 0 || got == small || got == large, "the count is a size the file had: " + std::to_string(got));
      if (got == 0) continue;
      // All of one generation: the write that made the file so large.
      const std::uint32_t generation = static_cast<std::uint32_t>(data[5]) >> 1 | (static_cast<std::uint32_t>(data[6]) & 0xf) << 7;
      t.expect_same(compare(std::span{data}.first(got), 0, {.file = 1, .generation = generation}));
    }
  };
  t.parallel({[&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_RDWR));
                for (std::uint32_t i = 1; i <= 400 && !t.stopping(); ++i) {
                  t.must(me.ftruncate(fd, small));
                  t.must(me.ftruncate(fd, 0));
                  t.put(me, fd, 0, large, {.file = 1, .generation = i});
                }
                done = true;
              },
              reader, reader});
}
