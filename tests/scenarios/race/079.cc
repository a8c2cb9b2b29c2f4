// What: two stores into one hole, from two address spaces.
// Why: both faults find a hole. Whoever allocates zeroes, and must have done so before the other can store (Linux 843172978bb9, 1ca191576fc8).
// Operations: a store of a word by each; one has loaded zeros there before.
// Invariant: both words are in the file and in both mappings.
// Groups: auto mmap dax rw. Needs: DAX.
#include "mapping_helpers.h"

namespace xip::scenario {
namespace {

struct scene : mapped_race {
  static constexpr requirements needs{.dax = true};

  void setup() {
    map_hole(1);
    expect(load_word(task(), at) == 0u, "a hole is zeros");
  }
  void first(vfs::task& me) {
    expect_store(*this, me, at, 1);
    expect(load_word(me, at) == 1u, "what was stored is there");
  }
  void second(vfs::task& me) {
    must(mm::mm_struct::make_for(me));
    const user_address mine = map_file(*this, me, fd, block());
    expect_store(*this, me, mine + 8, 2);
    expect(load_word(me, mine + 8) == 2u, "what was stored is there");
  }
  void check() {
    expect_word(*this, task(), fd, 0, at, 1);
    expect_word(*this, task(), fd, 8, at + 8, 2);
  }
};

}  // namespace
}  // namespace xip::scenario

XIP_RACE(scene, "auto mmap dax rw", "two stores into one hole", {"first", &scene::first}, {"second", &scene::second})
