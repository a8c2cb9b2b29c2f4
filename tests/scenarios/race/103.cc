// What: a pinned page, and its block is taken out, and one is put in before it.
// Why: a device that writes a page writes its block, whichever page that has become, and whoever has it then.
// Operations: a page is pinned, written as a device does, and unpinned; fallocate, twice.
// Invariant: a call that begins while the page is pinned does not return before it is unpinned.
// Groups: auto mmap dax locks prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : pinned_in_range<collapse, insert> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks prealloc", "a pinned page in a range that is collapsed and moved", {"pinner", &scene::pinner},
         {"first", &scene::first}, {"second", &scene::second})
