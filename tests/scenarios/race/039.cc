// What: SEEK_DATA and SEEK_HOLE against a write into a hole.
// Why: where data is, and the size, have to be of one instant: both are asked under the shared lock (Linux: ext4_llseek, iomap_seek_data).
// Operations: lseek SEEK_DATA from 0, lseek SEEK_HOLE from the second block; pwrite of the third block.
// Invariant: each answer is that of before or after the write.
// Groups: auto seek. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.truncate(task(), 5 * block());
    file.write(task(), 3 * block(), block(), 1);
  }
  void seeker(vfs::task& me) {
    file.seek_data(me, 0);
    file.seek_hole(me, 2 * block());
  }
  void writer(vfs::task& me) { file.write(me, 2 * block(), 100, 2); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto seek", "seek against a write into a hole", {"seeker", &scene::seeker}, {"writer", &scene::writer})
