// What: syncs of stores against a punch, and the power fails.
// Why: an fsync finds an entry, and it is gone or another's when its lock is had; what is stored into the hole afterwards has a block of its own, and is DIRTY there.
// Operations: a store and fsync; a store and msync by another; fallocate by the third and fsync; the power fails.
// Invariant: what was stored before a sync that has returned is there after a crash, where the file that is found has it.
// Groups: auto mmap dax sync prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : synced_in_range<punch, 1> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync prealloc", "syncs of what is stored into a hole", {"storer", &scene::storer}, {"other", &scene::other},
         {"syncer", &scene::syncer})
