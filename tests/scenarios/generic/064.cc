// What: a file of k extents, read by the copy path, is one batch of requests to the device, as is a whole-block overwrite of it.
// Why: what mpage_readpages did: extents submitted together, one system call for a request of k extents.
// Groups: auto quick rw extents. Needs: feature extent.
#include "helpers.h"

XIP_SCENARIO("auto quick rw extents", "one batch for a request of many extents", .mount = "dax=never", .extents = true) {
  const std::size_t block = t.block_size();
  constexpr std::uint64_t extents = 20;
  const int fd = t.create("file");
  write_every_second_block(t, fd, extents, {.file = 64});
  t.expect_equal(extents_of(t, fd).size(), extents, "extents");
  std::vector<std::byte> data(2 * block * extents - block);
  t.must(t->pread(fd, data.data(), data.size(), 0));  // the tree is cached now
  const auto before = t.device().stats();
  t.expect_answer(t->pread(fd, data.data(), data.size(), 0), data.size());
  const auto after = t.device().stats();
  t.expect_equal(after.batches - before.batches, 1u, "batches of one read");
  t.expect_equal(after.pieces - before.pieces, extents, "pieces of one read");
  for (std::uint64_t i = 0; i < extents; ++i)
    t.expect_same(compare(std::span{data}.subspan(2 * i * block, block), static_cast<loff_t>(2 * i * block), {.file = 64}));

  // No holes, and no two blocks that follow each other on the device.
  const int full = t.create("full");
  write_blocks_out_of_order(t, full, extents, {.file = 65});
  const std::size_t pieces = extents_of(t, full).size();
  t.expect(pieces >= extents, "the blocks lie apart: " + std::to_string(pieces) + " extents");
  fill(data, 0, {.file = 65, .generation = 1});
  const auto at_write = t.device().stats();
  t.expect_answer(t->pwrite(full, data.data(), data.size(), 0), data.size());
  const auto written = t.device().stats();
  t.expect_equal(written.batches - at_write.batches, 1u, "batches of one overwrite");
  t.expect_equal(written.pieces - at_write.pieces, pieces, "pieces of one overwrite");
  t.expect_data(full, 0, data.size(), {.file = 65, .generation = 1});
}
