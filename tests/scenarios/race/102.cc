// What: a pinned page, and its block is punched, and zeroed.
// Why: a device that reads or writes a page is not stopped by unmapping it: its block must be neither free nor unwritten as long as it does (Linux d2c997c0f145).
// Operations: a page is pinned, written as a device does, and unpinned; fallocate, twice.
// Invariant: a call that begins while the page is pinned does not return before it is unpinned.
// Groups: auto mmap dax locks prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : pinned_in_range<punch, zero> {
  static constexpr requirements needs{.dax = true};
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks prealloc", "a pinned page in a range that is punched and zeroed", {"pinner", &scene::pinner},
         {"first", &scene::first}, {"second", &scene::second})
