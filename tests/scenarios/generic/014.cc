// What: the file system fills up in mid-write: a short count, then ENOSPC; what was counted is there, and its space comes back.
// Why: a write that was short must have published exactly its count.
// Groups: auto rw enospc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto rw enospc", "ENOSPC in mid-write") {
  const std::uint64_t before = free_bytes(t);
  const int filler = t.create("filler");
  const std::uint64_t total = t.fill_up(filler, 0, {.file = 14});
  t.expect(total > before / 2, "most of the free space could be written");
  t.expect_equal(t.size_of(filler), total, "the size of the file that filled the disk");
  const int other = t.create("other");
  std::vector<std::byte> data(1 << 20);
  fill(data, 0, {.file = 15});
  t.expect_errno(t->pwrite(other, data.data(), data.size(), 0), ENOSPC);
  t.expect_equal(t.size_of(other), 0, "the size after ENOSPC");

  // Room for some blocks, and a write of more.
  const auto room = static_cast<loff_t>(10 * t.block_size());
  t.must(t->ftruncate(filler, static_cast<loff_t>(total) - room));
  t.must(t->syncfs(filler));
  const std::size_t wrote = t.must(t->pwrite(other, data.data(), data.size(), 0));
  t.expect(wrote >= t.block_size() && wrote <= static_cast<std::size_t>(2 * room), "a short count");
  t.expect_equal(t.size_of(other), wrote, "the size after a short write");
  t.expect_errno(t->pwrite(other, data.data(), data.size(), static_cast<loff_t>(wrote)), ENOSPC);
  t.expect_data(other, 0, wrote, {.file = 15});
  t.expect_data(filler, 0, 1 << 20, {.file = 14});
  t.must(t->close(other));
  t.must(t->close(filler));
  t.must(t->unlink("filler"));
  t.must(t->unlink("other"));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes after all was removed");
}
