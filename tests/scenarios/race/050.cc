// What: two unaligned writes into new blocks, on a disk whose free blocks are full of another file's bytes.
// Why: what a write does not fill of a new block is zeroed, or it shows what the block held before (Linux: __xip_file_write, which zeroed
// nothing; cured by dax_new_buf of 4.0).
// Operations: pwrite of a part of the second block; pwrite of a part of the third; pread of all.
// Invariant: around the bytes of the writes there are zeros, never the other file's.
// Groups: auto rw. Needs: nothing.
#include "race_helpers.h"

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    fill_free_blocks(*this);
    file = observe("file", 1);
    file.write(task(), 0, 100, 1);
  }
  void first(vfs::task& me) { file.write(me, block() + block() / 4, block() / 8, 2); }
  void second(vfs::task& me) { file.write(me, 2 * block() + block() / 16, block() / 4, 3); }
  void reader(vfs::task& me) { file.read(me, 0, 3 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto rw", "new blocks that held another file's bytes", {"first", &scene::first}, {"second", &scene::second},
         {"reader", &scene::reader})
