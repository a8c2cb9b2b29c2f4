// What: files that debugfs wrote into the image are read, changed and removed; a device node and a fifo are seen and refused.
// Why: images come from elsewhere.
// Groups: auto quick foreign. Needs: debugfs, a fresh image.
#include <sys/stat.h>

#include "helpers.h"

XIP_SCENARIO("auto quick foreign", "what debugfs made", .fresh = true, .tool = "debugfs") {
  t.umount();
  static_cast<void>(t.debugfs("mkdir /foreign"));
  static_cast<void>(t.debugfs("mknod /foreign/device c 4 7"));
  static_cast<void>(t.debugfs("mknod /foreign/fifo p"));
  static_cast<void>(t.debugfs("symlink /foreign/link /foreign"));
  t.fsck();
  t.mount();
  const auto device = t.must(t->stat("foreign/device"));
  t.expect(S_ISCHR(device.mode), "the type of the device");
  t.expect(S_ISFIFO(t.must(t->stat("foreign/fifo")).mode), "the type of the fifo");
  t.expect_errno(t->open("foreign/device", O_RDONLY), ENXIO);
  t.expect_equal(t.names_in("foreign").size(), 3u, "names");
  t.must(t->close(t.create("foreign/link/ours")));
  t.must(t->stat("foreign/ours"));
  t.must(t->unlink("foreign/device"));
  t.must(t->unlink("foreign/fifo"));
  t.must(t->unlink("foreign/link"));
  t.must(t->unlink("foreign/ours"));
  t.must(t->rmdir("foreign"));
}
