// What: syncs of stores against a collapse, and the power fails.
// Why: pages lose their entries and keep their blocks: who has not made them durable before must do so then, for nobody knows later that they are DIRTY (Linux: ext4_collapse_range writes back what it moves).
// Operations: a store and fsync; a store and msync by another; fallocate by the third and fsync; the power fails.
// Invariant: what was stored before a sync that has returned is there after a crash, where the file that is found has it.
// Groups: auto mmap dax sync prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : synced_in_range<collapse, 2> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync prealloc", "syncs of what moves", {"storer", &scene::storer}, {"other", &scene::other},
         {"syncer", &scene::syncer})
