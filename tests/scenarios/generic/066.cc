// What: an image with an unknown incompatible feature is refused by name; with an unknown read-only one it mounts read-only. Neither is changed.
// Why: the rule that lets formats grow.
// Groups: auto quick mount errors. Needs: debugfs, a fresh image without metadata checksums.
#include "helpers.h"

XIP_SCENARIO("auto quick mount errors", "unknown features", .mkfs = "-b 4096 -O ^metadata_csum", .tool = "debugfs", .errors_logged = true) {
  t.must(t->close(t.create("file")));
  t.umount();
  const std::uint32_t clean = t.device_checksum();
  static_cast<void>(t.debugfs("set_super_value feature_ro_compat 0x1000000"));
  std::uint32_t before = t.device_checksum();
  t.expect(before != clean, "debugfs set the feature");
  const auto writing = t.try_mount("");
  t.expect(!writing.has_value(), "a read-write mount is refused");
  t.mount("ro");
  t.must(t->stat("file"));
  t.umount();
  t.expect_equal(t.device_checksum(), before, "the image after a read-only mount");

  static_cast<void>(t.debugfs("set_super_value feature_incompat 0x4000000"));
  before = t.device_checksum();
  const auto refused = t.try_mount("ro");
  t.expect(!refused.has_value(), "a mount is refused");
  t.expect(!refused.error().message.empty(), "there is a message");
  t.expect_equal(t.device_checksum(), before, "the image after a refused mount");
}
