// What: a file of 3,000 extents: a tree two levels deep, written forwards, backwards and at random; read whole, after a new mount, truncated.
// Why: splits at both ends and in the middle, index growth, and removal across leaves.
// Groups: auto extents. Needs: nothing.
#include <algorithm>
#include <numeric>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr std::size_t extents = 3000;

void write_in_order(run& t, const char* name, const std::vector<loff_t>& order, stamp who) {
  const int fd = t.create(name);
  const loff_t block = t.block_size();
  for (const loff_t i : order) t.put(fd, 2 * i * block, static_cast<std::size_t>(block), who);
  t.expect_equal(extents_of(t, fd).size(), extents, "extents of the file");
  t.must(t->close(fd));
}

void check_whole(run& t, const char* name, stamp who) {
  const int fd = t.must(t->open(name, O_RDONLY));
  const loff_t block = t.block_size();
  std::vector<std::byte> all(static_cast<std::size_t>(2 * block) * extents);
  t.expect_answer(t->pread(fd, all.data(), all.size(), 0), all.size() - static_cast<std::size_t>(block), "bytes of the whole file");
  for (std::size_t i = 0; i < extents; ++i) {
    const auto at = static_cast<std::size_t>(2 * block) * i;
    t.expect_same(compare(std::span{all}.subspan(at, static_cast<std::size_t>(block)), static_cast<loff_t>(at), who));
    t.expect_same(compare_zeros(std::span{all}.subspan(at + static_cast<std::size_t>(block), static_cast<std::size_t>(block)),
                                static_cast<loff_t>(at) + block));
  }
  t.must(t->close(fd));
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto extents", "an extent tree two levels deep") {
  std::vector<loff_t> order(extents);
  std::iota(order.begin(), order.end(), loff_t{0});
  const std::uint64_t before = free_bytes(t);
  write_in_order(t, "forwards", order, {.file = 1});
  std::ranges::reverse(order);
  write_in_order(t, "backwards", order, {.file = 2});
  auto chance = t.random();
  for (std::size_t i = extents - 1; i > 0; --i) std::swap(order[i], order[chance.below(i + 1)]);
  write_in_order(t, "shuffled", order, {.file = 3});
  t.cycle();
  check_whole(t, "forwards", {.file = 1});
  check_whole(t, "backwards", {.file = 2});
  check_whole(t, "shuffled", {.file = 3});
  for (loff_t keep = 2500; keep >= 0; keep -= 500) t.must(t->truncate("shuffled", 2 * keep * t.block_size()));
  t.must(t->unlink("forwards"));
  t.must(t->unlink("backwards"));
  t.must(t->unlink("shuffled"));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
