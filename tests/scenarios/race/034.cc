// What: a preallocation against a write and a read.
// Why: both allocate: a block that the write has filled may not become unwritten again (Linux: ext4_map_blocks under i_data_sem).
// Operations: fallocate of three blocks; pwrite of one block and a half over its edge; pread of all.
// Invariant: what was written is read, once the write has returned.
// Groups: auto prealloc. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() { file = observe("file", 1); }
  void allocator(vfs::task& me) { file.allocate(me, 0, 3 * block()); }
  void writer(vfs::task& me) { file.write(me, 2 * block() - 100, block() + 200, 1); }
  void reader(vfs::task& me) { file.read(me, 0, 4 * block()); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto prealloc", "fallocate against write and read", {"allocator", &scene::allocator}, {"writer", &scene::writer},
         {"reader", &scene::reader})
