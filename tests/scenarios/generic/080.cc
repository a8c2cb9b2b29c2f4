// What: flags of chattr are kept over a new mount, debugfs sees them, and what they forbid is forbidden from the start.
// Why: they are on the disk for other systems, too.
// Groups: auto quick perms. Needs: debugfs.
#include <linux/fs.h>

#include "helpers.h"

XIP_SCENARIO("auto quick perms", "flags of chattr", .tool = "debugfs") {
  const auto set = [&](const char* name, unsigned flags) {
    const int fd = t.must(t->open(name, O_RDONLY));
    unsigned now = 0;
    t.must(t->ioctl(fd, FS_IOC_GETFLAGS, &now));
    now |= flags;
    t.must(t->ioctl(fd, FS_IOC_SETFLAGS, &now));
    t.must(t->close(fd));
  };
  t.must(t->close(t.create("fixed")));
  t.must(t->close(t.create("log")));
  t.must(t->mkdir("dir", 0755));
  set("dir", FS_NODUMP_FL | FS_NOATIME_FL);
  t.must(t->close(t.create("dir/heir")));
  set("fixed", FS_IMMUTABLE_FL);
  set("log", FS_APPEND_FL);
  t.cycle();
  t.expect_errno(t->open("fixed", O_RDWR), EPERM);
  t.expect_errno(t->unlink("fixed"), EPERM);
  t.expect_errno(t->open("log", O_RDWR), EPERM);
  t.must(t->close(t.must(t->open("log", O_WRONLY | O_APPEND))));
  t.must(t.kernel().sync());
  t.expect(t.debugfs("stat " + t.directory() + "/fixed").find("0x80010") != std::string::npos ||
               t.debugfs("stat " + t.directory() + "/fixed").find("Flags: 0x10") != std::string::npos,
           "debugfs sees that it is immutable");
  const int heir = t.must(t->open("dir/heir", O_RDONLY));
  unsigned flags = 0;
  t.must(t->ioctl(heir, FS_IOC_GETFLAGS, &flags));
  t.expect_equal(flags & (FS_NODUMP_FL | FS_NOATIME_FL), static_cast<unsigned>(FS_NODUMP_FL | FS_NOATIME_FL), "inherited flags");
  for (const char* name : {"fixed", "log"}) {
    const int fd = t.must(t->open(name, O_RDONLY));
    t.must(t->ioctl(fd, FS_IOC_GETFLAGS, &flags));
    flags &= ~static_cast<unsigned>(FS_IMMUTABLE_FL | FS_APPEND_FL);
    t.must(t->ioctl(fd, FS_IOC_SETFLAGS, &flags));
    t.must(t->unlink(name));
  }
}
