// What: two appends and a read.
// Why: the place of an append is chosen under the lock that keeps it; chosen before, two appends land on each other (Linux:
// generic_write_checks under i_rwsem).
// Operations: O_APPEND write of 700 bytes; O_APPEND write of 5,000 bytes; pread of all.
// Invariant: both are there, one behind the other, whole; the read sees none, one or both.
// Groups: auto append. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 3900, 1);
  }
  void first(vfs::task& me) { file.append(me, 700, 2); }
  void second(vfs::task& me) { file.append(me, 5000, 3); }
  void reader(vfs::task& me) { file.read(me, 3800, 3 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto append", "two appends and a read", {"first", &scene::first}, {"second", &scene::second}, {"reader", &scene::reader})
