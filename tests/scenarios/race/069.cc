// What: two tasks that lock two stretches, each in another order.
// Why: whoever would close a circle is told so, and nobody waits for ever (Linux: posix_locks_deadlock).
// Operations: F_SETLKW of the first byte, then of the second; the other way round.
// Invariant: at most one gets EDEADLK; who gets it gives back what it has, and the other goes on.
// Groups: auto locks. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  std::uint32_t refused = 0;
  int fd = -1;

  void setup() { fd = create("file"); }
  [[nodiscard]] result<> lock(vfs::task& me, short type, loff_t at, loff_t length) {
    struct ::flock l{};
    l.l_type = type;
    l.l_start = at;
    l.l_len = length;
    return me.fcntl(fd, F_SETLKW, l);
  }
  void both(vfs::task& me, loff_t begin, loff_t then) {
    must(lock(me, F_WRLCK, begin, 1));
    const auto second = lock(me, F_WRLCK, then, 1);
    if (!second) {
      expect_errno(second, EDEADLK);
      ++refused;
    }
    must(lock(me, F_UNLCK, 0, 0));
  }
  void first(vfs::task& me) { both(me, 0, 1); }
  void second(vfs::task& me) { both(me, 1, 0); }
  void check() { expect(refused <= 1, "one of the two was told, at the most"); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto locks", "a circle of locks", {"first", &scene::first}, {"second", &scene::second})
