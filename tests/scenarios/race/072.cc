// What: a lock that is given back just before its owner waits for what its waiter has.
// Why: who was woken waits for nobody until it has looked again, so that there is no circle to report (Linux: locks_wake_up_blocks takes the
// waiters out of blocked_hash).
// Operations: F_SETLK and F_UNLCK of the first byte, then F_SETLKW of the second; F_SETLKW of the second, then of the first.
// Invariant: neither ever holds what the other waits for while it waits itself: nobody gets EDEADLK.
// Groups: auto locks. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  int fd = -1;

  void setup() { fd = create("file"); }
  void lock(vfs::task& me, short type, loff_t at) {
    struct ::flock l{};
    l.l_type = type;
    l.l_start = at;
    l.l_len = 1;
    must(me.fcntl(fd, F_SETLKW, l));
  }
  void first(vfs::task& me) {
    lock(me, F_WRLCK, 0);
    lock(me, F_UNLCK, 0);
    lock(me, F_WRLCK, 1);
    lock(me, F_UNLCK, 1);
  }
  void second(vfs::task& me) {
    lock(me, F_WRLCK, 1);
    lock(me, F_WRLCK, 0);
    lock(me, F_UNLCK, 0);
    lock(me, F_UNLCK, 1);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "a lock that is given back just before a circle", {"first", &scene::first}, {"second", &scene::second})
