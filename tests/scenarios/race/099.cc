// What: taking out of a mapped block, against whatever reaches a block.
// Why: all blocks behind it move: a page that is still mapped shows what is elsewhere in the file now.
// Operations: fallocate; two loads and a store of the block and the one behind it; pread of the file and pwrite into the block.
// Invariant: each finds the file as it was before the call or as it is after, and a word that was put goes with its block or stays in the new one.
// Groups: auto mmap dax rw prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : range_against_all<collapse> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw prealloc", "a block is taken out under its mapping", {"changer", &scene::changer},
         {"mapper", &scene::mapper}, {"caller", &scene::caller})
