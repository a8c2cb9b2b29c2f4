// What: files that debugfs wrote into the image are read, changed and removed; a device node and a fifo are seen and refused.
// Why: images come from elsewhere.
// Groups: auto quick foreign. Needs: debugfs, a fresh image.
#include <sys/stat.h>

#include "helpers.h"

XIP_SCENARIO("auto quick foreign", "what debugfs made", .fresh = true, .tool = "debugfs") {
  t.umount();
  static_cast<void>(t.debugfs("mkdir /foreign"));
  static_cast<void>(t.debugfs("mknod device c 4 7"));
  static_cast<void>(t.debugfs("mknod fifo p"));
  static_cast<void>(t.debugfs("symlink /foreign/link /foreign"));
  t.fsck();
  t.mount();
  const auto device = t.must(t->stat("device"));
  t.expect(S_ISCHR(device.mode), "the type of the device");
  t.expect(S_ISFIFO(t.must(t->stat("fifo")).mode), "the type of the fifo");
  t.expect_errno(t->open("device", O_RDONLY), ENXIO);
  t.expect_equal(t.names_in("foreign").size(), 1u, "names");
  t.must(t->close(t.create("foreign/link/ours")));
  t.must(t->stat("foreign/ours"));
  t.must(t->unlink("device"));
  t.must(t->unlink("fifo"));
  t.must(t->unlink("foreign/link"));
  t.must(t->unlink("foreign/ours"));
  t.must(t->rmdir("foreign"));
}
