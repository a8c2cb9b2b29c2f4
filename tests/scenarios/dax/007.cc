// What: dax=always is refused on blocks of 1 KiB, with a message; the image mounts without it.
// Why: a block must be a page. Linux refuses it too.
// Groups: auto quick dax. Needs: a fresh image of its own geometry.
#include "helpers.h"

XIP_SCENARIO("auto quick", "DAX is refused on small blocks", .mkfs = "-b 1024") {
  const int fd = t.create("file");
  t.put(fd, 0, 10'000, {.file = 7});
  t.must(t->close(fd));
  t.umount();
  const auto refused = t.try_mount("dax=always");
  t.expect(!refused.has_value(), "dax=always is refused");
  t.expect(refused.error().code == EINVAL, "the errno is EINVAL");
  t.expect(refused.error().message.find("block") != std::string::npos, "the message names the block size: " + refused.error().message);
  t.mount();
  const int again = t.must(t->open("file", O_RDONLY));
  t.expect_data(again, 0, 10'000, {.file = 7});
}
