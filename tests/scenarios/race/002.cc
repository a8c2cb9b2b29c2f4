// What: 1 MiB writes race 1 MiB reads of the same range: no read is torn.
// Why: writes are exclusive and reads shared under one lock; tmpfs and the page cache tear.
// Groups: auto race rw. Needs: nothing.
#include <atomic>

#include "helpers.h"

XIP_SCENARIO("auto rw", "reads are atomic against writes") {
  constexpr std::size_t size = 1 << 20;
  const int shared = t.create("file");
  t.put(shared, 0, size, {.file = 2, .generation = 0});
  std::atomic<unsigned> writers{2};
  const auto writer = [&](vfs::task& me, std::uint32_t first) {
    const int fd = t.must(me.open("file", O_RDWR));
    for (std::uint32_t i = 0; i < 200 && !t.stopping(); ++i) t.put(me, fd, 0, size, {.file = 2, .generation = first + 2 * i});
    --writers;
  };
  t.parallel({[&](vfs::task& me) { writer(me, 1); }, [&](vfs::task& me) { writer(me, 2); },
              [&](vfs::task& me) {
                const int fd = t.must(me.open("file", O_RDONLY));
                std::vector<std::byte> data(size);
                while (writers != 0 && !t.stopping()) {
                  t.expect_answer(me.pread(fd, data.data(), size, 0), size);
                  const std::uint32_t generation = static_cast<std::uint32_t>(data[5]) >> 1 | (static_cast<std::uint32_t>(data[6]) & 0xf)
                                                                                                  << 7;
                  t.expect_same(compare(data, 0, {.file = 2, .generation = generation}));
                }
              }});
}
