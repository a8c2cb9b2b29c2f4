// What: three tasks that lock a stretch by the open file before they change it, one of them in the POSIX manner.
// Why: locks of open files and of owners keep each other out; those of an open file go with its last close (Linux: locks_remove_file).
// Operations: F_OFD_SETLKW, pread, pwrite, F_UNLCK by one; close in place of F_UNLCK by another; F_SETLKW and F_UNLCK by a third.
// Invariant: no change is lost, and nobody waits for ever.
// Groups: auto locks. Needs: nothing.
#include <sys/file.h>

#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  int count = -1;

  void setup() {
    count = create("count");
    const std::uint64_t zero = 0;
    must(task().pwrite(count, &zero, sizeof zero, 0));
  }
  void add(vfs::task& me) {
    std::uint64_t n = 0;
    must(me.pread(count, &n, sizeof n, 0));
    ++n;
    must(me.pwrite(count, &n, sizeof n, 0));
  }
  void lock(vfs::task& me, int fd, int command, short type) {
    struct ::flock whole{};
    whole.l_type = type;
    must(me.fcntl(fd, command, whole));
  }
  void locked(vfs::task& me, int take, int give_back) {
    const int fd = must(me.open("count", O_RDWR));
    lock(me, fd, take, F_WRLCK);
    add(me);
    lock(me, fd, give_back, F_UNLCK);
    must(me.close(fd));
  }
  void unlocker(vfs::task& me) { locked(me, F_OFD_SETLKW, F_OFD_SETLK); }
  void owner(vfs::task& me) { locked(me, F_SETLKW, F_SETLK); }
  void closer(vfs::task& me) {
    const int fd = must(me.open("count", O_RDWR));
    lock(me, fd, F_OFD_SETLKW, F_WRLCK);
    add(me);
    must(me.close(fd));
  }
  void check() {
    std::uint64_t n = 0;
    must(task().pread(count, &n, sizeof n, 0));
    expect_equal(n, std::uint64_t{3}, "changes");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "locks of open files keep changes apart", {"unlocker", &scene::unlocker}, {"owner", &scene::owner},
         {"closer", &scene::closer})
