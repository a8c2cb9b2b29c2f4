// What: four tasks fill the disk at once, each to ENOSPC; every byte that was counted is there; then all is removed and nothing is lost.
// Why: reservations, failed allocations and short writes under contention.
// Groups: auto race enospc. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto enospc", "a full disk by four tasks") {
  const std::uint64_t before = free_bytes(t);
  std::uint64_t written[4] = {};
  t.parallel(4, [&](vfs::task& me, unsigned index) {
    const int fd = t.must(me.open(numbered("f", index), O_RDWR | O_CREAT, 0644));
    std::vector<std::byte> data(100'000);
    for (;;) {
      const auto at = static_cast<loff_t>(written[index]);
      fill(data, at, {.file = 1 + index});
      const auto wrote = me.pwrite(fd, data.data(), data.size(), at);
      if (!wrote) {
        t.expect_errno(wrote, ENOSPC);
        break;
      }
      written[index] += *wrote;
    }
    t.expect_equal(t.must(me.fstat(fd)).size, written[index], "the size");
  });
  std::uint64_t total = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const int fd = t.must(t->open(numbered("f", i), O_RDONLY));
    for (std::uint64_t at = 0; at < written[i]; at += 1 << 20)
      t.expect_data(fd, static_cast<loff_t>(at), std::min<std::uint64_t>(1 << 20, written[i] - at), {.file = 1 + i});
    t.must(t->close(fd));
    total += written[i];
  }
  t.expect(total > before / 10 * 9, "nearly all of the free space could be written");
  for (unsigned i = 0; i < 4; ++i) t.must(t->unlink(numbered("f", i)));
  t.must(t.kernel().sync());
  t.expect_equal(free_bytes(t), before, "free bytes at the end");
}
