// What: fallocate, write and read by one task, against preallocation of the same range by another.
// Why: unwritten extents that nobody converts give zeros after a write (Linux: the filemap_xip.c of 2013, D5 of its review), and a second
// preallocation must leave written blocks alone.
// Operations: fallocate, pwrite, pread; fallocate twice, with and without the size.
// Invariant: what was written is read, whenever the other preallocates.
// Groups: auto prealloc. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() { file = observe("file", 1); }
  void writer(vfs::task& me) {
    file.allocate(me, 0, 2 * block());
    file.write(me, 100, block(), 1);
    file.read(me, 0, 2 * block());
  }
  void allocator(vfs::task& me) {
    file.allocate(me, 0, 3 * block());
    file.allocate(me, block(), 4 * block(), true);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto prealloc", "fallocate, write and read against fallocate", {"writer", &scene::writer},
         {"allocator", &scene::allocator})
