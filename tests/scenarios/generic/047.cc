// What: a read-write mount in which calls only read, or fail, leaves the device's checksum as it was.
// Why: the mark for e2fsck that the file system is in use is made when the first change comes. A mount that made it at once would leave it
// behind in a crash in which nothing was lost.
// Groups: auto quick mount. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick mount", "refused changes leave the image alone", .mount = "noatime") {
  t.must(t->mkdir("dir", 0755));
  const int fd = t.create("dir/file");
  t.put(fd, 0, 100'000, {.file = 47});
  t.must(t->close(fd));
  t.umount();
  const std::uint32_t before = t.device_checksum();
  t.mount();
  const int reader = t.must(t->open("dir/file", O_RDONLY));
  t.expect_data(reader, 0, 100'000, {.file = 47});
  t.expect_errno(t->mkdir("dir", 0755), EEXIST);
  t.expect_errno(t->rmdir("dir"), ENOTEMPTY);
  t.expect_errno(t->unlink("dir"), EISDIR);
  t.expect_errno(t->unlink("dir/none"), ENOENT);
  t.expect_errno(t->open("dir/file", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  t.expect_errno(t->truncate("dir/file", -1), EINVAL);
  auto stranger = t.new_task({.uid = 1000, .gid = 1000});
  t.expect_errno(stranger->unlink("dir/file"), EACCES);
  t.expect_errno(stranger->chmod("dir/file", 0777), EPERM);
  t.must(t->fsync(reader));
  t.must(t.kernel().sync());
  t.must(t->close(reader));
  stranger.reset();
  t.umount();
  t.expect_equal(t.device_checksum(), before, "the checksum of the image");
}
