// What: a preallocation against a truncate, and sizes asked for meanwhile.
// Why: a preallocation moves i_size extent by extent; a truncate comes before or after all of it (Linux: ext4_fallocate).
// Operations: fallocate of four blocks; ftruncate to one block and a half; two fstat; pread.
// Invariant: one of the two orders; the sizes seen grow up to the one, and no block stays behind the end.
// Groups: auto prealloc. Needs: nothing.
#include <xip/scenario/race.h>

namespace xip::scenario {
namespace {

struct scene : race {
  observed_file file;

  void setup() {
    file = observe("file", 1);
    file.write(task(), 0, 100, 1);
  }
  void allocator(vfs::task& me) { file.allocate(me, 0, 4 * block()); }
  void cutter(vfs::task& me) { file.truncate(me, block() + block() / 2); }
  void asker(vfs::task& me) {
    file.ask_size(me);
    file.ask_size(me);
    file.read(me, 0, 4 * block());
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto prealloc", "fallocate against truncate", {"allocator", &scene::allocator}, {"cutter", &scene::cutter},
         {"asker", &scene::asker})
