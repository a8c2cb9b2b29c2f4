// What: three tasks that each take the whole file by flock, through files opened of their own, before they change it.
// Why: a lock of flock belongs to the open file: it goes with LOCK_UN and with the last close, and either lets one waiter on (Linux: flock_lock_inode).
// Operations: flock LOCK_EX, pread, pwrite, LOCK_UN by one; close in place of LOCK_UN by another; LOCK_SH and then LOCK_EX by a third.
// Invariant: no change is lost, and nobody waits for ever.
// Groups: auto locks. Needs: nothing.
#include <sys/file.h>

#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : counting_race {
  void unlocker(vfs::task& me) {
    const int fd = must(me.open("count", O_RDWR));
    must(me.flock(fd, LOCK_EX));
    add(me);
    must(me.flock(fd, LOCK_UN));
    must(me.close(fd));
  }
  void closer(vfs::task& me) {
    const int fd = must(me.open("count", O_RDWR));
    must(me.flock(fd, LOCK_EX));
    add(me);
    must(me.close(fd));
  }
  // What it had shared is given up before it waits: the two steps are not one.
  void upgrader(vfs::task& me) {
    const int fd = must(me.open("count", O_RDWR));
    must(me.flock(fd, LOCK_SH));
    must(me.flock(fd, LOCK_EX));
    add(me);
    must(me.close(fd));
  }
  void check() { expect_count(3); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "flock keeps changes apart", {"unlocker", &scene::unlocker}, {"closer", &scene::closer},
         {"upgrader", &scene::upgrader})
