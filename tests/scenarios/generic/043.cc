// What: single bytes, blocks and pieces written at random into a preallocated file; what was not written reads zeros, always.
// Why: every way to cut an unwritten extent: front, back, middle, whole, across two.
// Groups: auto quick prealloc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick prealloc", "random writes into unwritten extents") {
  constexpr std::size_t size = 1 << 20;
  const int fd = t.create("file");
  auto chance = t.random();
  for (std::uint32_t round = 0; round < 4; ++round) {
    t.must(t->ftruncate(fd, 0));
    t.must(t->fallocate(fd, round % 2 == 0 ? 0 : FALLOC_FL_KEEP_SIZE, 0, size));
    t.must(t->ftruncate(fd, size));
    std::vector<std::byte> model(size);
    for (std::uint32_t i = 0; i < 150; ++i) {
      std::size_t at = chance.below(size), bytes = chance.one_in(3) ? 1 : chance.between(1, 20'000);
      if (chance.one_in(3)) at = at / t.block_size() * t.block_size();
      bytes = std::min(bytes, size - at);
      const stamp who{.file = 43, .generation = i};
      t.put(fd, static_cast<loff_t>(at), bytes, who);
      fill(std::span{model}.subspan(at, bytes), static_cast<loff_t>(at), who);
    }
    std::vector<std::byte> found(size);
    t.expect_answer(t->pread(fd, found.data(), size, 0), size);
    t.expect_same(compare_bytes(found, 0, model));
  }
}
