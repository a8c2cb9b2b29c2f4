// What: three accesses that wait for one entry.
// Why: an entry that is replaced while others wait for it must wake all of them, or the one that is woken last never is ("dax: fix deadlock with DAX 4k holes";
// f52afc93cd01: who waits must not hold what the other needs).
// Operations: two loads of a hole and a store, of the same page.
// Invariant: all return; loads are zero or what was stored.
// Groups: auto mmap dax locks. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() { map_hole(1); }
  void load(vfs::task& me) {
    const auto word = load_word(me, at);
    expect(word == 0u || word == 3u, "what is loaded is zero or was stored");
  }
  void first(vfs::task& me) { load(me); }
  void second(vfs::task& me) { load(me); }
  void storer(vfs::task& me) { expect_store(*this, me, at, 3); }
  void check() { expect_word(*this, task(), fd, 0, at, 3); }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax locks", "three accesses that wait for one page", {"first", &scene::first}, {"second", &scene::second},
         {"storer", &scene::storer})
