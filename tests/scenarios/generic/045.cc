// What: remount read-only and back. With a file open for writing it is refused; read-only, every change is refused.
// Why: the switch must flush, and must not lock writers out by half.
// Groups: auto quick mount. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick mount", "remount read-only and back") {
  const int fd = t.create("file");
  t.put(fd, 0, 10'000, {.file = 45});
  const auto busy = t.kernel().remount("/", "ro");
  t.expect(!busy.has_value() && busy.error().code == EBUSY, "a file open for writing keeps the mount read-write");
  t.must(t->close(fd));
  t.remount("ro");
  t.fsck();
  t.expect_errno(t->open("file", O_RDWR), EROFS);
  t.expect_errno(t->open("new", O_WRONLY | O_CREAT, 0644), EROFS);
  t.expect_errno(t->unlink("file"), EROFS);
  const int reader = t.must(t->open("file", O_RDONLY));
  t.expect_data(reader, 0, 10'000, {.file = 45});
  t.remount("rw");
  const int writer = t.must(t->open("file", O_RDWR));
  t.put(writer, 5'000, 10'000, {.file = 45});
  t.expect_data(reader, 0, 15'000, {.file = 45});
  const auto unknown = t.kernel().remount("/", "no-such-option");
  t.expect(!unknown.has_value() && unknown.error().code == EINVAL, "an unknown option is refused");
  t.expect(unknown.error().message.find("no-such-option") != std::string::npos, "the message names the option");
}
