// What: two tasks that each lock a stretch before they change it.
// Why: who waits for a lock looks again whenever something was given back (Linux: fcntl_setlk, locks_wake_up_blocks).
// Operations: F_SETLKW, pread, pwrite, F_UNLCK by one; the same by the other; the same with flock around it by a third.
// Invariant: no change is lost, and nobody waits for ever.
// Groups: auto locks. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : counting_race {
  void add_locked(vfs::task& me) {
    struct ::flock l{};
    l.l_type = F_WRLCK;
    l.l_len = sizeof(std::uint64_t);
    must(me.fcntl(count, F_SETLKW, l));
    add(me);
    l.l_type = F_UNLCK;
    must(me.fcntl(count, F_SETLK, l));
  }
  void first(vfs::task& me) { add_locked(me); }
  void second(vfs::task& me) { add_locked(me); }
  void third(vfs::task& me) {
    const int mine = must(me.open("count", O_RDWR));
    must(me.flock(mine, LOCK_EX));
    add_locked(me);
    must(me.close(mine));
  }
  void check() { expect_count(3); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "locks keep changes apart", {"first", &scene::first}, {"second", &scene::second}, {"third", &scene::third})
