// What: the holes of a fragmented file are filled: neighbours merge, and the tree shrinks where blocks are contiguous.
// Why: merging with the left, the right and both sides; the data stays what it was.
// Groups: auto quick extents. Needs: nothing.
#include <utility>

#include "helpers.h"

namespace xip::scenario {
namespace {

// How many extents go on where the one before them ends, in the file and on the device.
std::size_t unmerged_in(const std::vector<vfs::fiemap_extent>& extents) {
  std::size_t n = 0;
  for (std::size_t i = 1; i < extents.size(); ++i) {
    const auto& before = extents[i - 1];
    n += std::cmp_equal(before.logical + before.length, extents[i].logical) &&
                 std::cmp_equal(before.physical + before.length, extents[i].physical)
             ? 1
             : 0;
  }
  return n;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick extents", "filling holes merges extents") {
  const loff_t block = t.block_size();
  const int fd = t.create("file");
  constexpr loff_t count = 400;
  t.must(t->fallocate(fd, 0, 0, 2 * count * block));
  for (loff_t i = 0; i < count; ++i) t.put(fd, 2 * i * block, static_cast<std::size_t>(block), {.file = 20});
  const std::size_t fragmented = extents_of(t, fd).size();
  t.expect(fragmented >= 2 * static_cast<std::size_t>(count), "written and unwritten alternate");
  for (loff_t i = 0; i < count; ++i) t.put(fd, (2 * i + 1) * block, static_cast<std::size_t>(block), {.file = 20});
  // Neighbours in two leaves may stay two extents; a leaf that was split is at least half full of entries of 12 bytes.
  t.expect(unmerged_in(extents_of(t, fd)) <= 4 + fragmented * 24 / static_cast<std::size_t>(block),
           "what lies next to each other is one extent");
  t.expect_equal(count_extents(t, fd).unwritten, 0u, "unwritten bytes");
  t.expect_data(fd, 0, static_cast<std::size_t>(2 * count * block), {.file = 20});
  t.must(t->close(fd));
  t.cycle();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 0, static_cast<std::size_t>(2 * count * block), {.file = 20});
}
