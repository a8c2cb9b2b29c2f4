// What: on a read-only mount reads work, whatever would change something is EROFS, and the device's checksum is the same afterwards.
// Why: who looks at evidence, or at a broken disk, must not alter it: not an access time, not the mount count.
// Groups: auto quick mount errors. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick mount errors", "a read-only mount changes nothing") {
  t.must(t->mkdir("dir", 0755));
  const int fd = t.create("dir/file");
  t.put(fd, 0, 100'000, {.file = 46});
  t.must(t->close(fd));
  t.umount();
  const std::uint32_t before = t.device_checksum();
  t.mount("ro,strictatime");
  const int reader = t.must(t->open("dir/file", O_RDONLY));
  t.expect_data(reader, 0, 100'000, {.file = 46});
  t.expect_equal(t.names_in("dir").size(), 1u, "names");
  t.expect_errno(t->open("dir/file", O_RDWR), EROFS);
  t.expect_errno(t->open("dir/file", O_RDONLY | O_TRUNC), EROFS);
  t.expect_errno(t->open("dir/new", O_RDONLY | O_CREAT, 0644), EROFS);
  t.must(t->close(t.must(t->open("dir/file", O_RDONLY | O_CREAT, 0644))));
  t.expect_errno(t->mkdir("dir/new", 0755), EROFS);
  t.expect_errno(t->mkdir("dir", 0755), EEXIST);
  t.expect_errno(t->rmdir("dir"), EROFS);
  t.expect_errno(t->unlink("dir/file"), EROFS);
  t.expect_errno(t->truncate("dir/file", 0), EROFS);
  t.expect_errno(t->chmod("dir/file", 0600), EROFS);
  t.expect_errno(t->chown("dir/file", 1, 1), EROFS);
  t.expect_errno(t->utimensat(AT_FDCWD, "dir/file", nullptr, 0), EROFS);
  t.must(t->fsync(reader));
  t.must(t->syncfs(reader));
  t.must(t.kernel().sync());
  t.must(t->close(reader));
  t.umount();
  t.expect_equal(t.device_checksum(), before, "the checksum of the image");
}
