// What: a store through MAP_SYNC that the program makes durable by itself, and the power fails.
// Why: where a block is not named by committed metadata yet, flushing its bytes is not enough: the page is mapped only when it is (Linux b8a6176c214c).
// Operations: a store into a hole, clwb and sfence; fallocate of the next block by another task.
// Invariant: when the program has flushed its word it is there after a crash.
// Groups: auto mmap dax sync. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  bool flushed = false;

  void setup() {
    fd = create("file");
    must(task().ftruncate(fd, 2 * block()));
    // Where a device keeps stores in a page cache there is no such mapping, and the power does not fail.
    at = map_file(*this, task(), fd, 2 * block(), device().synchronous() ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED);
  }
  void storer(vfs::task& me) {
    expect_store(*this, me, at, 6);
    expect(mm::persist(me, at, 8).has_value(), "what was stored can be flushed");
    flushed = true;
    power_may_fail();
  }
  void other(vfs::task& me) { must(me.fallocate(fd, 0, block(), block())); }
  void recovered(vfs::task& me) {
    const std::uint64_t word = recovered_word(me, 0);
    expect(word == 6 || (word == 0 && !flushed), "what was flushed is there");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync", "a store through MAP_SYNC", {"storer", &scene::storer}, {"other", &scene::other})
