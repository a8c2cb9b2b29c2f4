// What: three tasks that lock a stretch by the open file before they change it, one of them in the POSIX manner.
// Why: locks of open files and of owners keep each other out; those of an open file go with its last close (Linux: locks_remove_file).
// Operations: F_OFD_SETLKW, pread, pwrite, F_UNLCK by one; close in place of F_UNLCK by another; F_SETLKW and F_UNLCK by a third.
// Invariant: no change is lost, and nobody waits for ever.
// Groups: auto locks. Needs: nothing.
#include <sys/file.h>

#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : counting_race {
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
  void check() { expect_count(3); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "locks of open files keep changes apart", {"unlocker", &scene::unlocker}, {"owner", &scene::owner},
         {"closer", &scene::closer})
