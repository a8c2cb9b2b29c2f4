// What: syncs of stores against a collapse, and the power fails.
// Why: pages lose their entries and keep their blocks: who has not made them durable before must do so then, for nobody knows later that they are DIRTY (Linux: ext4_collapse_range writes back what it moves).
// Operations: a store and fsync; a store and msync by another; fallocate by the third and fsync; the power fails.
// Invariant: what was stored before a sync that has returned is there after a crash, where the file that is found has it.
// Groups: auto mmap sync prealloc. Needs: DAX.
#include "range_helpers.h"

namespace xip::scenario {
namespace {

struct scene : range_race<collapse> {
  static constexpr requirements needs{.dax = true};
  put_word stored[2];
  bool synced[2] = {};
  bool changed = false;  // and durable

  void storer(vfs::task& me) {
    stored[0] = store(me, 2, 8);
    must(me.fdatasync(fd));
    synced[0] = true;
    power_may_fail();
  }
  void other(vfs::task& me) {
    stored[1] = store(me, 2, 16);
    must(mm::msync(me, at, most * block(), MS_SYNC));
    synced[1] = true;
    power_may_fail();
  }
  void syncer(vfs::task& me) {
    changer(me);
    must(me.fsync(fd));
    changed = true;
    power_may_fail();
  }
  void check() { expect_changed({stored[0], stored[1]}); }

  // The file as it was before the change or is after it; which is told by a word that is not stored to.
  void recovered(vfs::task& me) {
    const int again = must(me.open("/file", O_RDONLY));
    const bool is_after = must(me.fstat(again)).size < static_cast<loff_t>(blocks) * block();
    expect(is_after || !changed, "a change that was synced is there");
    for (unsigned i = 0; i < 2; ++i) {
      if (!synced[i]) continue;
      const auto before_place = is_after ? moved(2) : std::optional<std::uint64_t>{2};
      const bool there = before_place && read_word(*this, me, again, offset_of(*before_place, 8 + 8 * i)) == 7;
      const bool there_as_new = is_after && stored[i].when.may_be_after && read_word(*this, me, again, offset_of(2, 8 + 8 * i)) == 7;
      const bool gone = is_after && stored[i].when.may_be_before && !moved(2);
      expect((stored[i].when.may_be_before && there) || there_as_new || gone, "what was synced is there");
    }
    must(me.close(again));
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap sync prealloc", "syncs of what moves", {"storer", &scene::storer}, {"other", &scene::other},
         {"syncer", &scene::syncer})
