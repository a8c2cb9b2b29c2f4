// What: a mapping that moves while its file is cut, written and synced.
// Why: whoever looks for the page tables of a file finds each of their entries at the old address or at the new one (Linux: need_rmap_locks in move_page_tables).
// Operations: mremap of a mapping that has been stored to; ftruncate to nothing; fsync.
// Invariant: all return; behind the end nothing is mapped.
// Groups: auto mmap dax locks. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  user_address moved = 0;

  void setup() {
    map_hole(1);
    expect_store(*this, task(), at, 1);
  }
  void mover(vfs::task& me) {
    moved = must(mm::mremap(me, at, block(), block(), MREMAP_MAYMOVE | MREMAP_FIXED, at + 16 * mm::pmd_size));
    static_cast<void>(store_word(me, moved, 2));
  }
  void cutter(vfs::task& me) { must(me.ftruncate(fd, 0)); }
  void syncer(vfs::task& me) { must(me.fsync(fd)); }
  void check() {
    expect(!load_word(task(), moved).has_value(), "behind the end there is nothing");
    expect(!load_word(task(), at).has_value(), "nor at the old place");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks", "a mapping that moves while its file is cut", {"mover", &scene::mover}, {"cutter", &scene::cutter},
         {"syncer", &scene::syncer})
