// What: one get_blocks serves a whole extent: a read or overwrite of n blocks in k extents asks k times; a read of one block, once.
// Why: the cursor is what makes DAX as fast as memory; a lookup for each block was the cost of the XIP of 2013.
// Groups: auto quick dax. Needs: DAX, feature extent.
#include "helpers.h"

namespace xip::scenario {
namespace {

std::uint64_t lookups(run& t, auto&& call) {
  const std::uint64_t before = t.hits(point::xip_mapping_returned);
  call();
  return t.hits(point::xip_mapping_returned) - before;
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick", "one lookup an extent", .dax = true, .extents = true) {
  const int fd = t.create("file");
  t.put(fd, 0, 1 << 20, {.file = 2});
  const std::size_t extents = extents_of(t, fd).size();
  t.expect_equal(extents, 1u, "extents of a file written at once");
  t.expect_equal(lookups(t, [&] { t.expect_data(fd, 0, 1 << 20, {.file = 2}); }), 1u, "lookups of a read of 256 blocks");
  t.expect_equal(lookups(t, [&] { t.expect_data(fd, 5000, 10, {.file = 2}); }), 1u, "lookups of a small read");
  t.expect_equal(lookups(t, [&] { t.put(fd, 0, 1 << 20, {.file = 2, .generation = 1}); }), 1u, "lookups of an overwrite of 256 blocks");
  t.expect_equal(lookups(t, [&] { t.put(fd, 12345, 100, {.file = 2, .generation = 2}); }), 1u, "lookups of a small overwrite");

  const int sparse = t.create("sparse");
  write_every_second_block(t, sparse, 10, {.file = 3});
  std::vector<std::byte> data(20 * t.block_size());
  const std::uint64_t both = lookups(t, [&] { t.must(t->pread(sparse, data.data(), data.size(), 0)); });
  t.expect_equal(both, 19u, "lookups of a read of 10 extents and 9 holes");
  t.must(t->ftruncate(sparse, loff_t{1} << 30));
  t.expect_equal(lookups(t, [&] { t.expect_zeros(sparse, 1 << 20, 1 << 20); }), 1u, "lookups of a read in a large hole");

  const int full = t.create("full");
  write_blocks_out_of_order(t, full, 10, {.file = 4});
  const std::size_t apart = extents_of(t, full).size();
  t.expect(apart >= 10, "the blocks lie apart: " + std::to_string(apart) + " extents");
  const std::size_t bytes = 19 * t.block_size();
  t.expect_equal(lookups(t, [&] { t.put(full, 0, bytes, {.file = 4, .generation = 1}); }), apart, "lookups of an overwrite of all extents");
  t.expect_equal(lookups(t, [&] { t.expect_data(full, 0, bytes, {.file = 4, .generation = 1}); }), apart,
                 "lookups of a read of all extents");
}
