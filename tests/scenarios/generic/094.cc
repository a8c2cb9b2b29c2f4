// What: a file of thousands of extents is punched, zeroed, collapsed and extended in its middle; each block that is left is found where it belongs.
// Why: deep trees: keys change in every node above a leaf that moves, and leaves go away.
// Groups: auto rw prealloc extents. Needs: a fresh image of its own geometry.
#include "helpers.h"

namespace xip::scenario {
namespace {

// Which block of the file as it was is where; -1: none.
using places = std::vector<std::int64_t>;

void expect_places(run& t, int fd, const places& where) {
  const auto block = static_cast<std::size_t>(t.block_size());
  std::vector<std::byte> expected(block), found(where.size() * block);
  t.expect_answer(t->pread(fd, found.data(), found.size(), 0), found.size(), "the whole file");
  for (std::size_t i = 0; i < where.size(); ++i) {
    const auto at = static_cast<loff_t>(i * block);
    if (where[i] < 0) {
      t.expect_same(compare_zeros(std::span{found}.subspan(i * block, block), at));
      continue;
    }
    fill(expected, where[i] * static_cast<loff_t>(block), {.file = 94});
    t.expect_same(compare_bytes(std::span{found}.subspan(i * block, block), at, expected));
  }
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto rw prealloc extents", "ranges in a deep tree", .size = 32 * mib, .mkfs = "-b 1024", .extents = true) {
  const loff_t block = t.block_size();
  constexpr std::size_t count = 6000;
  places where(count, -1);
  const int fd = t.create("file");
  for (std::size_t i = 0; i < count; i += 2) {
    t.put(fd, static_cast<loff_t>(i) * block, static_cast<std::size_t>(block), {.file = 94});
    where[i] = static_cast<std::int64_t>(i);
  }
  t.must(t->ftruncate(fd, static_cast<loff_t>(count) * block));
  const auto change = [&](int mode, std::size_t first, std::size_t blocks) {
    t.must(t->fallocate(fd, mode, static_cast<loff_t>(first) * block, static_cast<loff_t>(blocks) * block));
  };
  for (const std::size_t first : {std::size_t{0}, std::size_t{333}, std::size_t{2500}, std::size_t{4000}}) {
    const auto at = [&](std::size_t offset) { return where.begin() + static_cast<std::ptrdiff_t>(first + offset); };
    change(FALLOC_FL_INSERT_RANGE, first, 7);
    where.insert(at(0), 7, -1);
    change(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first + 20, 300);
    std::fill(at(20), at(320), -1);
    change(FALLOC_FL_COLLAPSE_RANGE, first + 10, 501);
    where.erase(at(10), at(511));
    change(FALLOC_FL_ZERO_RANGE, first + 30, 5);
    std::fill(at(30), at(35), -1);
    expect_places(t, fd, where);
  }
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDWR));
  expect_places(t, again, where);
  t.must(t->fallocate(again, FALLOC_FL_COLLAPSE_RANGE, block, static_cast<loff_t>(where.size() - 2) * block));
  expect_places(t, again, {where.front(), where.back()});
  t.must(t->close(again));
}
