// What: zeroing of a mapped block, against whatever reaches a block.
// Why: a page that is still mapped shows bytes of a block that is unwritten, and what is stored there is lost with the next fault.
// Operations: fallocate; two loads and a store of the block and the one behind it; pread of the file and pwrite into the block.
// Invariant: each finds the file as it was before the call or as it is after, and a word that was put goes with its block or stays in the new one.
// Groups: auto mmap dax rw prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : range_against_all<zero> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc", "a block is zeroed under its mapping", {"changer", &scene::changer},
         {"mapper", &scene::mapper}, {"caller", &scene::caller})
