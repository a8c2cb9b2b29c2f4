// What: two overlapping writes and a read of both.
// Why: a write is exclusive for its whole length: who reads sees each of them whole or not at all (Linux: ext4_dax_write_iter; measured on
// ext4 with dax: no torn read).
// Operations: pwrite of two blocks; pwrite of two blocks, one of them the same; pread of three.
// Invariant: the read is of one of the five states that two orders have.
// Groups: auto rw. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 3 * block(), 1);
  }
  void first(vfs::task& me) { file.write(me, 0, 2 * block(), 2); }
  void second(vfs::task& me) { file.write(me, block(), 2 * block(), 3); }
  void reader(vfs::task& me) { file.read(me, 0, 3 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "two overlapping writes and a read", {"first", &scene::first}, {"second", &scene::second},
         {"reader", &scene::reader})
