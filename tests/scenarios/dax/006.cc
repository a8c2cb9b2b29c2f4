// What: what one mover wrote the other reads, extents unwritten or not, mount by mount.
// Why: dax=never is another path through the same hooks to the same blocks.
// Groups: auto quick dax. Needs: DAX.
#include "helpers.h"

XIP_SCENARIO("auto quick", "both movers on one file", .dax = true) {
  constexpr std::size_t size = 200'000;
  std::vector<std::byte> model(size);
  auto chance = t.random();
  t.must(t->close(t.create("file")));
  for (std::uint32_t round = 0; round < 12; ++round) {
    t.umount();
    t.mount(round % 2 == 0 ? "dax=never" : "dax=always");
    const int fd = t.must(t->open("file", O_RDWR));
    if (round == 0) t.must(t->fallocate(fd, 0, 0, size));
    std::vector<std::byte> found(size);
    t.expect_answer(t->pread(fd, found.data(), size, 0), size);
    t.expect_same(compare_bytes(found, 0, model));
    for (std::uint32_t i = 0; i < 10; ++i) {
      const std::size_t at = chance.below(size - 9000), bytes = chance.between(1, 9000);
      t.put(fd, static_cast<loff_t>(at), bytes, {.file = 6, .generation = round * 10 + i});
      fill(std::span{model}.subspan(at, bytes), static_cast<loff_t>(at), {.file = 6, .generation = round * 10 + i});
    }
    t.must(t->close(fd));
  }
}
