// What: SEEK_DATA and SEEK_HOLE against a truncate and a preallocation.
// Why: an unwritten block is a hole, and nothing is behind the end, whichever of them comes first (Linux: iomap_seek_hole).
// Operations: lseek SEEK_DATA from the second block, lseek SEEK_HOLE from 0; ftruncate to a block and a half; fallocate of five blocks.
// Invariant: each answer is that of some instant.
// Groups: auto seek. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 3 * block(), 1);
  }
  void seeker(vfs::task& me) {
    file.seek_data(me, block());
    file.seek_hole(me, 0);
  }
  void cutter(vfs::task& me) { file.truncate(me, block() + block() / 2); }
  void allocator(vfs::task& me) { file.allocate(me, 0, 5 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto seek", "seek against truncate and fallocate", {"seeker", &scene::seeker}, {"cutter", &scene::cutter},
         {"allocator", &scene::allocator})
