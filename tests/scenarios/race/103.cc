// What: a pinned page, and its block is taken out, and one is put in before it.
// Why: a device that writes a page writes its block, whichever page that has become, and whoever has it then.
// Operations: a page is pinned, written as a device does, and unpinned; fallocate, twice.
// Invariant: a call that begins while the page is pinned does not return before it is unpinned.
// Groups: auto mmap locks prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : range_race<collapse> {
  static constexpr requirements needs{.dax = true};

  void pinner(vfs::task& me) {
    mm::page_pin pin;
    expect(mm::pin_user_page(me, address_of(1), true, pin).has_value(), "a page is pinned");
    const bool first = !begun;
    const std::uint64_t word = 4;
    XIP_POINT(user_point);
    pin.write(8, &word, sizeof word);
    expect(!first || !ended, "its blocks stay where they are");
    const current_scope scope{me.context};  // as the end of a request: in the middle of no call
    pin.unpin();
  }
  void first(vfs::task& me) { changer(me); }
  void second(vfs::task& me) {
    begun = true;
    must(me.fallocate(fd, insert, block(), block()));
    ended = true;
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap locks prealloc", "a pinned page in a range that is collapsed and moved", {"pinner", &scene::pinner},
         {"first", &scene::first}, {"second", &scene::second})
