// What: stores and syncs in turn, and the power fails.
// Why: a page that stays writable when it was marked clean is stored to without a fault, so nobody knows that the next fsync has something to flush
// (Linux 4b4bb46d00b3, and what fixed it).
// Operations: a store, fsync, a store, fsync; an fsync by another task meanwhile.
// Invariant: each word that was stored before an fsync began which has returned is there after a crash.
// Groups: auto mmap dax sync. Needs: DAX.
#include <algorithm>

#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};
  std::uint64_t synced = 0;  // the last word that has to be there

  void setup() {
    map_hole(1);
    expect_store(*this, task(), at, 1);
  }
  void storer(vfs::task& me) {
    for (std::uint64_t word = 2; word <= 3; ++word) {
      expect_store(*this, me, at, word);
      must(me.fdatasync(fd));
      synced = word;
      power_may_fail();
    }
  }
  void syncer(vfs::task& me) {
    must(me.fsync(fd));
    synced = std::max<std::uint64_t>(synced, 1);
    power_may_fail();
  }
  void recovered(vfs::task& me) {
    const std::uint64_t word = recovered_word(me, 0);
    expect(word >= synced && word <= 3, "what was synced is there");
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax sync", "stores and syncs in turn", {"storer", &scene::storer}, {"syncer", &scene::syncer})
