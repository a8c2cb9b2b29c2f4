// What: a second file system mounted on a directory: paths cross into it and back, devices differ, busy mounts stay.
// Why: two super blocks, one name space, locks that must not mix.
// Groups: auto quick mount. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick mount", "two mounts at once") {
  dev::device& second = t.second_device(16 * mib);
  t.must(t->mkdir("mnt", 0755));
  t.must(t->close(t.create("mnt/hidden")));
  const std::string place = t.directory() + "/mnt";
  const auto mounted = t.kernel().mount(t.file_system(), second, place);
  t.expect(mounted.has_value(), mounted ? "" : mounted.error().message);
  t.expect_errno(t->stat("mnt/hidden"), ENOENT);
  t.expect(t.must(t->stat("mnt")).dev != t.must(t->stat(".")).dev, "two file systems have two numbers");
  t.expect_equal(t.must(t->stat("mnt/..")).ino, t.must(t->stat(".")).ino, ".. leads out of the mount");
  const int here = t.create("file");
  const int there = t.create("mnt/file");
  t.put(here, 0, 100'000, {.file = 1});
  t.put(there, 0, 100'000, {.file = 2});
  t.expect_data(here, 0, 100'000, {.file = 1});
  t.expect_data(there, 0, 100'000, {.file = 2});
  t.expect_errno(t->rmdir("mnt"), EBUSY);
  t.expect_errno(t.kernel().umount(place), EBUSY);
  t.must(t->close(there));
  t.must(t->chdir("mnt"));
  t.expect_errno(t.kernel().umount(place), EBUSY);
  t.expect_equal(t.must(t->getcwd()), place, "the working directory");
  t.must(t->chdir(".."));
  t.must(t.kernel().umount(place));
  t.must(t->stat("mnt/hidden"));
  t.expect_errno(t->stat("mnt/file"), ENOENT);
  t.expect_errno(t.kernel().umount(place), EINVAL);
  // And again: what was written is there.
  const auto again = t.kernel().mount(t.file_system(), second, place, "ro");
  t.expect(again.has_value(), again ? "" : again.error().message);
  const int reader = t.must(t->open("mnt/file", O_RDONLY));
  t.expect_data(reader, 0, 100'000, {.file = 2});
  t.expect_errno(t->open("mnt/new", O_WRONLY | O_CREAT, 0644), EROFS);
  t.must(t->close(reader));
  t.must(t.kernel().umount(place));
}
