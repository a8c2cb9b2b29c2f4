// What: reserved blocks are root's: others get ENOSPC first, and statfs says so.
// Why: a full disk must leave the administrator room to work.
// Groups: auto enospc perms. Needs: a fresh image with 10% reserved.
#include "helpers.h"

XIP_SCENARIO("auto enospc perms", "reserved blocks", .mkfs = "-b 4096 -m 10") {
  t.must(t->chmod(".", 0777));
  const auto user = t.new_task({.uid = 1000, .gid = 1000});
  const auto before = t.must(t->statfs("."));
  t.expect(before.bfree - before.bavail >= before.blocks / 11, "a tenth of the blocks is reserved");
  const int fd = t.must(user->open("user", O_RDWR | O_CREAT, 0644));
  std::vector<std::byte> data(1 << 20);
  std::uint64_t total = 0;
  for (;;) {
    const auto wrote = user->pwrite(fd, data.data(), data.size(), static_cast<loff_t>(total));
    if (!wrote) {
      t.expect_errno(wrote, ENOSPC);
      break;
    }
    total += *wrote;
  }
  const auto full = t.must(t->statfs("."));
  t.expect(full.bavail * full.bsize < data.size(), "little is available to users");
  t.expect(full.bfree >= before.bfree - before.bavail - 16, "the reserved blocks are still free");
  const int root = t.create("root");
  t.expect(t.fill_up(root, 0, {}) >= before.blocks / 12 * before.bsize, "root can use them");
}
