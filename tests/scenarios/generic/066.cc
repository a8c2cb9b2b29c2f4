// What: an image with an unknown incompatible feature is refused by name; with an unknown read-only one it mounts read-only. Neither is changed.
// Why: the rule that lets formats grow.
// Groups: auto quick mount errors. Needs: a fresh image without metadata checksums.
#include <cstring>

#include <xip/base/endian.h>

#include "helpers.h"

namespace xip::scenario {
namespace {

constexpr std::uint64_t feature_incompat = 1024 + 96, feature_ro_compat = 1024 + 100;

// Flips BITS of a 32-bit word of the device.
void flip(run& t, std::uint64_t offset, std::uint32_t bits) {
  le32 word;
  t.must(t.device().read(offset, std::as_writable_bytes(std::span{&word, 1})));
  word = word ^ bits;
  t.must(t.device().write(offset, std::as_bytes(std::span{&word, 1})));
}

void expect_refused(run& t, const char* options) {
  const std::uint32_t before = t.device_checksum();
  const auto refused = t.try_mount(options);
  t.expect(!refused.has_value(), std::string{"a mount is refused with options '"} + options + "'");
  t.expect(refused.error().message.find("feature") != std::string::npos, "the message speaks of a feature: " + refused.error().message);
  t.expect_equal(t.device_checksum(), before, "the image after a refused mount");
}

}  // namespace
}  // namespace xip::scenario

XIP_SCENARIO("auto quick mount errors", "unknown features", .mkfs = "-b 4096 -O ^metadata_csum", .errors_logged = true) {
  t.must(t->close(t.create("file")));
  t.umount();
  flip(t, feature_ro_compat, 0x1000000);
  expect_refused(t, "");
  const std::uint32_t before = t.device_checksum();
  t.mount("ro");
  t.must(t->stat("file"));
  t.umount();
  t.expect_equal(t.device_checksum(), before, "the image after a read-only mount");
  flip(t, feature_ro_compat, 0x1000000);

  flip(t, feature_incompat, 0x4000000);
  expect_refused(t, "");
  expect_refused(t, "ro");
  flip(t, feature_incompat, 0x4000000);
  t.mount();
  t.must(t->stat("file"));
}
