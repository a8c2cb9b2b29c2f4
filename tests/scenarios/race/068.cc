// What: two tasks that each lock a stretch before they change it.
// Why: who waits for a lock looks again whenever something was given back (Linux: fcntl_setlk, locks_wake_up_blocks).
// Operations: F_SETLKW, pread, pwrite, F_UNLCK by one; the same by the other; the same with flock around it by a third.
// Invariant: no change is lost, and nobody waits for ever.
// Groups: auto locks. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  int fd = -1;

  void setup() {
    fd = create("count");
    const std::uint64_t zero = 0;
    must(task().pwrite(fd, &zero, sizeof zero, 0));
  }
  void add(vfs::task& me) {
    struct ::flock l{};
    l.l_type = F_WRLCK;
    l.l_len = sizeof(std::uint64_t);
    must(me.fcntl(fd, F_SETLKW, l));
    std::uint64_t count = 0;
    must(me.pread(fd, &count, sizeof count, 0));
    ++count;
    must(me.pwrite(fd, &count, sizeof count, 0));
    l.l_type = F_UNLCK;
    must(me.fcntl(fd, F_SETLK, l));
  }
  void first(vfs::task& me) { add(me); }
  void second(vfs::task& me) { add(me); }
  void third(vfs::task& me) {
    const int mine = must(me.open("count", O_RDWR));
    must(me.flock(mine, LOCK_EX));
    add(me);
    must(me.close(mine));
  }
  void check() {
    std::uint64_t count = 0;
    must(task().pread(fd, &count, sizeof count, 0));
    expect_equal(count, std::uint64_t{3}, "changes");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "locks keep changes apart", {"first", &scene::first}, {"second", &scene::second}, {"third", &scene::third})
