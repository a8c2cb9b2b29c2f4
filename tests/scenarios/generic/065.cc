// What: mount options: unknown ones and wrong values are refused by name, dax=always where it cannot be is refused; /proc/mounts shows them.
// Why: an option that is silently ignored is a promise that is silently broken.
// Groups: auto quick mount errors. Needs: nothing.
#include "helpers.h"

XIP_SCENARIO("auto quick mount errors", "mount options") {
  t.umount();
  for (const char* options : {"no-such-option", "dax=sometimes", "errors=ignore", "rw,no-such-option=3,noatime"}) {
    const auto answer = t.try_mount(options);
    t.expect(!answer.has_value(), std::string{"a mount is refused with "} + options);
    t.expect(answer.error().code == EINVAL, "the errno is EINVAL");
    t.expect(!answer.error().message.empty(), "there is a message");
  }
  const auto dax = t.try_mount("dax=always");
  t.expect_equal(dax.has_value(), t.has_dax(), "dax=always can be had where there is direct access and 4 KiB blocks");
  if (dax) t.umount();
  t.mount("ro,noatime,dax=never,errors=remount-ro");
  const std::string shown = t.kernel().mounts();
  for (const char* word : {" / ", "ro", "noatime", "dax=never", "errors=remount-ro"})
    t.expect(shown.find(word) != std::string::npos, std::string{"the list of mounts shows"} + word + " in: " + shown);
  t.umount();
  t.fsck();
  t.mount();
}
